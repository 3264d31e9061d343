{{
    config(
        unique_key=['week_start', 'retailer', 'region', 'store_id', 'product_key', 'source_system'],
        scope_column='week_start',
        indexes=[{'columns': ['product_key']}],
    )
}}

{% call scope() %}
select coalesce(week_start, date_trunc('week', date_day::timestamp)::date)
from {{ ref('stg_files__sell_through') }}
where {{ is_loaded_since('load_id') }}
union all
select week_start
from {{ this }}
where {{ is_touched('week_start', 'int_currency_rates_daily', column='date_day') }}
union all
select week_start
from {{ this }}
where {{ is_touched('product_key', 'dim_products_history') }}
{% endcall %}

with

-- A retailer's own week is kept; days become weeks that begin on Monday.
filed as (
    select
        *,
        coalesce(week_start, date_trunc('week', date_day::timestamp)::date) as week_of_sale,
        case when product_id is null then '(no product)' else {{ surrogate_key(['product_id']) }} end as product_key
    from {{ ref('stg_files__sell_through') }}
    where {{ in_scope("coalesce(week_start, date_trunc('week', date_day::timestamp)::date)") }}
),

rates as (
    select * from {{ ref('int_currency_rates_daily') }}
),

-- Reports of units only are valued at list price.
valued as (
    select
        filed.*,
        filed.sales_amount_local is null and prices.list_price is not null and filed.units_sold is not null as is_estimated,
        coalesce(
            filed.sales_amount_local * own_rates.rate,
            filed.units_sold * prices.list_price * price_rates.rate
        ) as sales_amount
    from filed
    left join {{ ref('dim_products_history') }} as prices
        on
            filed.product_key = prices.product_key
            and filed.week_of_sale >= prices.valid_from
            and (filed.week_of_sale < prices.valid_to or prices.valid_to is null)
    left join rates as own_rates
        on
            filed.week_of_sale = own_rates.date_day
            and coalesce(filed.currency_code, {{ reporting_currency() }}) = own_rates.currency_code
    left join rates as price_rates
        on filed.week_of_sale = price_rates.date_day and prices.currency_code = price_rates.currency_code
),

final as (
    select
        retailer,
        coalesce(region, 'Unknown') as region,
        coalesce(store_id, '(not reported)') as store_id,
        product_key,
        connection_id as source_system,
        trim_scale(sum(units_sold)) as units_sold,
        trim_scale(sum(sales_amount)) as sales_amount,
        -- For a week reported by day, the stock is that of the last day.
        trim_scale((array_agg(units_on_hand order by date_day desc nulls last, row_key))[1]) as units_on_hand,
        bool_or(is_estimated) as is_estimated,
        week_of_sale as week_start
    from valued
    group by week_of_sale, retailer, coalesce(region, 'Unknown'), coalesce(store_id, '(not reported)'), product_key, connection_id
)

select * from final
