-- What was won and ordered in a month is what every attribution model returns for the month, unattributed included.

with

won as (
    select
        month_start,
        coalesce(sum(won_amount), 0) + coalesce(sum(order_amount), 0) as amount
    from {{ ref('fct_funnel_daily') }}
    where {{ is_touched('month_start', 'fct_funnel_daily') }}
    group by month_start
),

returned as (
    select
        month_start,
        model,
        sum(revenue) as amount
    from {{ ref('rpt_channel_return') }}
    where {{ is_touched('month_start', 'fct_funnel_daily') }}
    group by month_start, model
)

select
    won.month_start,
    models.model,
    won.amount as won,
    returned.amount as returned
from won
cross join (values {{ attribution_models() }}) as models (model)
left join returned on won.month_start = returned.month_start and models.model = returned.model
where coalesce(won.amount, 0) <> coalesce(returned.amount, 0)
