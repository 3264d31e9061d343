{{
    config(
        unique_key=['month_start', 'region', 'product_group'],
        scope_column='month_start',
    )
}}

{% call scope() %}
select {{ month_of('week_start') }} from {{ changes('fct_sell_through_weekly') }}
union all
select date_trunc('month', (week_start + 6)::timestamp)::date from {{ changes('fct_sell_through_weekly') }}
union all
select {{ month_of('ordered_date') }} from {{ changes('fct_orders') }}
union all
select month_start from {{ changes('fct_funnel_daily') }}
union all
select date_trunc('month', (date_day + 6 * reach.weeks)::timestamp)::date
from {{ changes('fct_funnel_daily') }} cross join (values (-1), (1)) as reach (weeks)
union all
select month_start
from {{ this }}
where exists (
    select from {{ changes('dim_products') }} group by product_key having count(distinct product_group) > 1
)
{% endcall %}

{%- set has_ads = is_advertising_configured() %}
{%- set has_shop = is_configured('shopify') or is_configured('files.orders') %}
{%- set has_retail = is_configured('files.sell_through') %}

with

products as (
    select
        product_key,
        product_group
    from {{ ref('dim_products') }}
),

weeks as (
    select * from {{ ref('fct_sell_through_weekly') }}
    where {{ in_months_of_scope('week_start', days_before=6) }}
),

-- A campaign's spend is on a region, or on none. The start of a week is the retailer's.
spending as (
    select
        week_starts.week_start,
        daily.region,
        sum(daily.spend) as spend
    from (select distinct week_start from weeks) as week_starts
    inner join {{ ref('fct_funnel_daily') }} as daily
        on
            week_starts.week_start <= daily.date_day
            and week_starts.week_start > daily.date_day - 7
            and daily.spend > 0
    where {{ in_months_of_scope('daily.date_day', days_before=6, days_after=6) }}
    group by week_starts.week_start, daily.region
),

-- The same even spread over the week as in fct_funnel_daily.
sold as (
    select
        {{ month_of('weeks.week_start + days.day_no') }} as month_start,
        weeks.week_start,
        weeks.region,
        coalesce(products.product_group, 'Unknown') as product_group,
        sum(
            round(weeks.sales_amount * (days.day_no + 1) / 7, 4) - round(weeks.sales_amount * days.day_no / 7, 4)
            + case when days.day_no = 6 then weeks.sales_amount - round(weeks.sales_amount, 4) else 0 end
        ) as amount
    from weeks
    cross join generate_series(0, 6) as days (day_no)
    left join products on weeks.product_key = products.product_key
    group by
        {{ month_of('weeks.week_start + days.day_no') }},
        weeks.week_start,
        weeks.region,
        coalesce(products.product_group, 'Unknown')
),

-- Sell-through is matched to campaigns by week and region, because buyers are unknown (FUN-12).
retail as (
    select
        sold.month_start,
        sold.region,
        sold.product_group,
        sum(sold.amount) as sell_through_amount,
        sum(sold.amount) filter (where regional.spend > 0) as regional_campaigns_amount,
        sum(sold.amount) filter (where regional.spend > 0 or unsplit.spend > 0) as advertised_amount
    from sold
    left join spending as regional
        on sold.week_start = regional.week_start and sold.region = regional.region
    left join spending as unsplit
        on sold.week_start = unsplit.week_start and unsplit.region = '(not split)' and sold.region <> '(not split)'
    where {{ in_scope('sold.month_start') }}
    group by sold.month_start, sold.region, sold.product_group
),

own as (
    select
        {{ month_of('orders.ordered_date') }} as month_start,
        orders.region,
        coalesce(products.product_group, 'Unknown') as product_group,
        sum(orders.net_amount) as own_ecommerce_amount
    from {{ ref('fct_orders') }} as orders
    left join products on orders.product_key = products.product_key
    where
        orders.is_revenue
        and {{ in_months_of_scope('orders.ordered_date') }}
    group by {{ month_of('orders.ordered_date') }}, orders.region, coalesce(products.product_group, 'Unknown')
),

-- In a month without sell-through, the spend of the whole month counts.
spending_of_months as (
    select
        month_start,
        region,
        sum(spend) as spend
    from {{ ref('fct_funnel_daily') }}
    where spend > 0 and {{ in_scope('month_start') }}
    group by month_start, region
),

combined as (
    select
        month_start,
        region,
        product_group,
        case when {{ has_retail }} then coalesce(retail.sell_through_amount, 0) end as sell_through_amount,
        case when {{ has_shop }} then coalesce(own.own_ecommerce_amount, 0) end as own_ecommerce_amount,
        case when {{ has_retail and has_ads }} then coalesce(retail.regional_campaigns_amount, 0) end
            as regional_campaigns_amount,
        case when {{ has_retail and has_ads }} then coalesce(retail.advertised_amount, 0) end as advertised_amount
    from retail
    full outer join own using (month_start, region, product_group)
),

final as (
    select
        combined.region,
        combined.product_group,
        trim_scale(combined.sell_through_amount) as sell_through_amount,
        trim_scale(combined.own_ecommerce_amount) as own_ecommerce_amount,
        trim_scale(round(
            combined.own_ecommerce_amount
            / nullif(combined.own_ecommerce_amount + combined.sell_through_amount, 0), 12
        )) as covered_rate,
        trim_scale(combined.advertised_amount) as advertised_amount,
        trim_scale(combined.regional_campaigns_amount) as regional_campaigns_amount,
        case
            when {{ has_ads }} then coalesce(regional.spend > 0, false) or coalesce(unsplit.spend > 0, false)
        end as has_advertising,
        combined.month_start
    from combined
    left join spending_of_months as regional
        on combined.month_start = regional.month_start and combined.region = regional.region
    left join spending_of_months as unsplit
        on combined.month_start = unsplit.month_start and unsplit.region = '(not split)'
)

select * from final
