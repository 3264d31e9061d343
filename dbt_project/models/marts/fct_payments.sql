{{
    config(
        unique_key=['payment_key'],
        scope_column='payment_key',
        track=['order_key'],
        indexes=[{'columns': ['order_key']}],
    )
}}

{% call scope() %}
select {{ surrogate_key(['connection_id', 'row_key']) }}
from {{ ref('stg_files__payments') }}
where {{ is_loaded_since('load_id') }}
union all
select {{ surrogate_key(['payments.connection_id', 'payments.row_key']) }}
from {{ ref('int_orders') }} as orders
inner join {{ ref('stg_files__payments') }} as payments
    on orders.connection_id = payments.connection_id and orders.order_id = payments.order_id
where {{ is_touched('orders.order_key', 'int_orders') }}
or orders.rate_dates && array(select distinct date_day from {{ changes('int_currency_rates_daily') }})
{% endcall %}

with

payments as (
    select
        *,
        {{ surrogate_key(['connection_id', 'row_key']) }} as payment_key
    from {{ ref('stg_files__payments') }}
    where {{ in_scope(surrogate_key(['connection_id', 'row_key'])) }}
),

-- A payment without a currency has that of its order; without an order its currency is unknown, and it has no amount.
ordered as (
    select
        payments.*,
        orders.order_key,
        orders.region,
        orders.ordered_date,
        coalesce(payments.currency_code, orders.currency_code) as known_currency_code
    from payments
    left join {{ ref('int_orders') }} as orders
        on
            payments.connection_id = orders.source_system
            and payments.connection_id = orders.connection_id
            and payments.order_id = orders.order_id
),

final as (
    select
        ordered.payment_key,
        ordered.order_key,
        ordered.order_id,
        ordered.payment_no,
        ordered.payment_type,
        coalesce(ordered.region, 'Unknown') as region,
        ordered.known_currency_code as currency_code,
        ordered.connection_id as source_system,
        -- A payment without an order has no day, so only the reporting currency can be converted (at 1).
        trim_scale(
            ordered.amount_local
            * case when ordered.known_currency_code = {{ reporting_currency() }} then 1 else rates.rate end
        ) as amount,
        trim_scale(ordered.amount_local) as amount_local,
        ordered.ordered_date
    from ordered
    left join {{ ref('int_currency_rates_daily') }} as rates
        on ordered.ordered_date = rates.date_day and ordered.known_currency_code = rates.currency_code
)

select * from final
