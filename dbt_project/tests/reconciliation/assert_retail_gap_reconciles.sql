-- No sale is lost between the funnel and the gap: sell-through and own orders have the same sums per month and region.

with

funnel as (
    select
        month_start,
        region,
        coalesce(sum(retail_amount), 0) as retail_amount,
        coalesce(sum(order_amount), 0) as order_amount
    from {{ ref('fct_funnel_daily') }}
    where {{ is_touched('month_start', ['rpt_retail_gap', 'fct_funnel_daily']) }}
    group by month_start, region
    having sum(retail_amount) <> 0 or sum(order_amount) <> 0
),

gap as (
    select
        month_start,
        region,
        coalesce(sum(sell_through_amount), 0) as retail_amount,
        coalesce(sum(own_ecommerce_amount), 0) as order_amount
    from {{ ref('rpt_retail_gap') }}
    where {{ is_touched('month_start', ['rpt_retail_gap', 'fct_funnel_daily']) }}
    group by month_start, region
)

select
    month_start,
    region,
    funnel.retail_amount as retail_expected,
    gap.retail_amount as retail_found,
    funnel.order_amount as orders_expected,
    gap.order_amount as orders_found
from funnel
full outer join gap using (month_start, region)
where
    coalesce(funnel.retail_amount, 0) <> coalesce(gap.retail_amount, 0)
    or coalesce(funnel.order_amount, 0) <> coalesce(gap.order_amount, 0)
