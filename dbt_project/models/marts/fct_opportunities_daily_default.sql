{{ config(materialized='view') }}

select
    -- ids
    opportunity_key,

    -- strings
    region,
    opportunity_type,
    stage,

    -- numerics
    amount,
    probability,
    weighted_amount,

    -- dates
    date_day,
    expected_close_date
from {{ ref('fct_opportunities_daily') }}
where date_day = (select max(every_day.date_day) from {{ ref('fct_opportunities_daily') }} as every_day)
