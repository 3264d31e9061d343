-- Amounts in the reporting currency equal the vendors' amounts at the rate of their own day: for spend and platform
-- values the day of the spend, for an open deal that of its creation, for a closed one that of its close, for an order
-- its own.

with

rates as (
    select * from {{ ref('int_currency_rates_daily') }}
),

differences as (
    select
        'fct_ad_stats_daily' as mart,
        spent.campaign_key as row_key,
        spent.date_day,
        spent.spend as amount,
        spent.spend_local * rates.rate as expected
    from {{ ref('fct_ad_stats_daily') }} as spent
    left join rates on spent.date_day = rates.date_day and spent.currency_code = rates.currency_code
    where
        {{ is_touched_day('spent.date_day') }}
        and spent.spend is distinct from spent.spend_local * rates.rate
        -- Amounts in several currencies: see assert_spend_reconciles.
        and not (spent.spend_local is null and spent.currency_code is null)

    union all

    select
        'fct_opportunities' as mart,
        deals.opportunity_key as row_key,
        coalesce(deals.closed_date, deals.created_date) as date_day,
        deals.amount,
        deals.amount_local * rates.rate as expected
    from {{ ref('fct_opportunities') }} as deals
    left join rates
        on coalesce(deals.closed_date, deals.created_date) = rates.date_day and deals.currency_code = rates.currency_code
    where
        {{ is_touched('deals.opportunity_key', 'fct_opportunities') }}
        and deals.amount is distinct from deals.amount_local * rates.rate

    union all

    select
        'fct_orders' as mart,
        orders.order_key || ':' || orders.order_line as row_key,
        orders.ordered_date as date_day,
        orders.net_amount as amount,
        orders.amount_local * rates.rate as expected
    from {{ ref('fct_orders') }} as orders
    left join rates on orders.ordered_date = rates.date_day and orders.currency_code = rates.currency_code
    where
        {{ is_touched('orders.order_key', 'fct_orders') }}
        and orders.refund_amount = 0
        and orders.net_amount is distinct from orders.amount_local * rates.rate
)

select * from differences
