{{ config(materialized='view') }}

select
    -- strings
    region,

    -- numerics
    open_opportunities,
    open_amount,
    weighted_amount,
    booked_amount,
    target,

    -- dates
    date_day,
    period_start
from {{ ref('rpt_pipeline_coverage') }}
where
    region <> '(all)'
    and date_day = (select max(every_day.date_day) from {{ ref('rpt_pipeline_coverage') }} as every_day)
