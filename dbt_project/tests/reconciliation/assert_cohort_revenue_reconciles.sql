{{ config(tags=['full_build']) }}

-- Attributed amounts of all touch months equal those of all closing months, by every model; and charged costs equal
-- filed costs.

with

returns as (
    select
        model,
        sum(revenue) as revenue,
        sum(cohort_revenue) as cohort_revenue,
        sum(costs) as costs
    from {{ ref('rpt_channel_return') }}
    group by model
),

filed as (
    select sum(amount) as costs from {{ ref('int_costs') }}
)

select returns.*
from returns
cross join filed
where
    returns.cohort_revenue is distinct from returns.revenue
    or abs(coalesce(returns.costs, 0) - coalesce(filed.costs, 0)) > 0.000001
