-- Orders landed equal orders in the mart, to the cent, in the shop's currency; counted ones without an opportunity
-- equal the funnel.

with

landed as (
    select
        {{ surrogate_key(["'shopify'", 'orders.connection_id', 'orders.order_id']) }} as order_key,
        coalesce((
            select
                sum(
                    {{ json_number("line.entry #>> '{originalTotalSet,shopMoney,amount}'") }}
                    - coalesce((
                        select sum({{ json_number("allocation.entry #>> '{allocatedAmountSet,shopMoney,amount}'") }})
                        from {{ json_elements("line.entry -> 'discountAllocations'") }} as allocation (entry)
                    ), 0)
                    - case
                        when orders.taxes_included
                            then coalesce((
                                select sum({{ json_number("tax.entry #>> '{priceSet,shopMoney,amount}'") }})
                                from {{ json_elements("line.entry -> 'taxLines'") }} as tax (entry)
                            ), 0)
                        else 0
                    end
                )
            from {{ json_elements('orders.lines') }} as line (entry)
        ), 0) as paid,
        coalesce((
            select sum(coalesce(parts.amount, {{ json_number("refund.entry #>> '{totalRefundedSet,shopMoney,amount}'") }}))
            from {{ json_elements('orders.refunds') }} as refund (entry)
            left join lateral (
                select
                    sum(
                        {{ json_number("part.entry #>> '{subtotalSet,shopMoney,amount}'") }}
                        - case
                            when orders.taxes_included
                                then coalesce({{ json_number("part.entry #>> '{totalTaxSet,shopMoney,amount}'") }}, 0)
                            else 0
                        end
                    ) as amount
                from {{ json_elements("refund.entry #> '{refundLineItems,nodes}'") }} as part (entry)
            ) as parts on true
        ), 0) as refunded
    from {{ ref('stg_shopify__orders') }} as orders
    where not orders.is_removed and {{ is_loaded_since('orders.load_id') }}

    union all

    select
        {{ surrogate_key(['orders.connection_id', 'orders.connection_id', 'orders.order_id']) }} as order_key,
        coalesce(sum(lines.amount_local), 0) as paid,
        0 as refunded
    from {{ ref('stg_files__orders') }} as orders
    left join {{ ref('stg_files__order_lines') }} as lines
        on orders.connection_id = lines.connection_id and orders.order_id = lines.order_id
    where {{ is_loaded_since('orders.load_id') }}
    group by orders.connection_id, orders.order_id
),

shown as (
    select
        order_key,
        sum(amount_local) as amount_local
    from {{ ref('fct_orders') }}
    where order_key in (select order_key from landed)
    group by order_key
),

counted as (
    select
        ordered_date as date_day,
        count(distinct order_key) as orders,
        sum(net_amount) as order_amount
    from {{ ref('fct_orders') }}
    where is_revenue and {{ is_touched_day('ordered_date') }}
    group by ordered_date
),

funnel as (
    select
        date_day,
        sum(orders) as orders,
        sum(order_amount) as order_amount
    from {{ ref('fct_funnel_daily') }}
    where {{ is_touched_day('date_day') }}
    group by date_day
)

select
    landed.order_key as compared,
    landed.paid - landed.refunded as landed,
    shown.amount_local as found
from landed
left join shown on landed.order_key = shown.order_key
where landed.paid - landed.refunded is distinct from shown.amount_local

union all

select
    coalesce(counted.date_day, funnel.date_day)::text as compared,
    counted.order_amount as landed,
    funnel.order_amount as found
from counted
full outer join funnel on counted.date_day = funnel.date_day
where
    coalesce(counted.orders, 0) <> coalesce(funnel.orders, 0)
    or coalesce(counted.order_amount, 0) <> coalesce(funnel.order_amount, 0)
