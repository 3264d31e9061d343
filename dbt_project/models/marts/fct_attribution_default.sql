{{ config(materialized='view') }}

select
    -- ids
    conversion_id,
    opportunity_key,
    touch_id,
    campaign_key,

    -- strings
    conversion_type,
    channel,
    region,

    -- numerics
    credit,
    credited_amount,

    -- dates
    converted_at,
    converted_month,
    touched_month
from {{ ref('fct_attribution') }}
where model = 'linear' and conversion_type in ('won', 'order')
