{{ config(materialized='view') }}

select
    -- ids
    campaign_key,

    -- strings
    channel,
    region,

    -- numerics
    spend,
    revenue,
    new_customers,
    costs,
    platform_claimed_value,

    -- dates
    month_start
from {{ ref('rpt_channel_return') }}
where model = 'linear'
