-- Amounts won and ordered in a month equal the amounts of every attribution model for the month, unattributed included,
-- and every model bears the costs of the month.

with

won as (
    select
        month_start,
        coalesce(sum(won_amount), 0) + coalesce(sum(order_amount), 0) as amount
    from {{ ref('fct_funnel_daily') }}
    where {{ is_touched('month_start', ['rpt_channel_return', 'fct_funnel_daily']) }}
    group by month_start
),

returned as (
    select
        month_start,
        model,
        sum(revenue) as amount,
        sum(costs) as costs
    from {{ ref('rpt_channel_return') }}
    where {{ is_touched('month_start', ['rpt_channel_return', 'fct_funnel_daily']) }}
    group by month_start, model
),

costs as (
    select
        month_start,
        sum(amount) as amount
    from {{ ref('int_costs') }}
    group by month_start
)

select
    won.month_start,
    models.model,
    won.amount as won,
    returned.amount as returned,
    costs.amount as costs_filed,
    returned.costs as costs_shown
from won
cross join (values {{ attribution_models() }}) as models (model)
left join returned on won.month_start = returned.month_start and models.model = returned.model
left join costs on won.month_start = costs.month_start
where
    coalesce(won.amount, 0) <> coalesce(returned.amount, 0)
    -- Shares of a cost are rounded.
    or abs(coalesce(costs.amount, 0) - coalesce(returned.costs, 0)) > 0.000001
