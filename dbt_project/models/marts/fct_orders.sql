{{
    config(
        unique_key=['order_key', 'order_line'],
        scope_column='order_key',
        track=['ordered_date', 'person_key'],
        indexes=[{'columns': ['ordered_date']}, {'columns': ['person_key']}],
    )
}}

{% call scope() %}
select order_key from {{ changes('int_orders') }}
union all
select {{ surrogate_key(['source_system', 'connection_id', 'order_id']) }}
from {{ ref('int_orders_unioned') }}
where {{ is_loaded_since('load_id') }}
union all
select orders.order_key
from {{ ref('stg_files__order_lines') }} as lines
inner join {{ ref('int_orders') }} as orders
    on lines.connection_id = orders.connection_id and lines.order_id = orders.order_id
where {{ is_loaded_since('lines.load_id') }}
union all
select orders.order_key
from {{ ref('int_account_records') }} as accounts
inner join {{ ref('stg_files__order_lines') }} as lines
    on accounts.connection_id = lines.connection_id and accounts.record_id = lines.account_id
inner join {{ ref('int_orders') }} as orders
    on lines.connection_id = orders.connection_id and lines.order_id = orders.order_id
where {{ is_touched('accounts.account_record', 'int_account_records') }}
union all
select order_key
from {{ ref('int_orders') }}
where rate_dates && array(select distinct date_day from {{ changes('int_currency_rates_daily') }})
{% endcall %}

with

orders as (
    select * from {{ ref('int_orders') }}
    where {{ in_scope('order_key') }}
),

written as (
    select
        orders.order_key,
        orders.taxes_included,
        raw_orders.discount_codes,
        raw_orders.lines,
        raw_orders.refunds
    from orders
    inner join {{ ref('int_orders_unioned') }} as raw_orders
        on
            orders.source_system = raw_orders.source_system
            and orders.connection_id = raw_orders.connection_id
            and orders.order_id = raw_orders.order_id
),

documented_lines as (
    select
        written.order_key,
        split_part(line.entry ->> 'id', '/', 5) as order_line,
        line.line_no,
        coalesce(nullif(line.entry ->> 'sku', ''), line.entry #>> '{product,legacyResourceId}') as product_id,
        {{ json_number("line.entry ->> 'quantity'") }} as units,
        {{ json_number("line.entry #>> '{originalTotalSet,shopMoney,amount}'") }}
        - case when written.taxes_included then coalesce(taxes.amount, 0) else 0 end as gross_local,
        coalesce(discounts.amount, 0) as discount_local,
        null::numeric as freight_local,
        null::text as account_key
    from written
    cross join lateral {{ json_elements('written.lines') }} with ordinality as line (entry, line_no)
    left join lateral (
        select sum({{ json_number("allocation.entry #>> '{allocatedAmountSet,shopMoney,amount}'") }}) as amount
        from {{ json_elements("line.entry -> 'discountAllocations'") }} as allocation (entry)
    ) as discounts on true
    left join lateral (
        select sum({{ json_number("tax.entry #>> '{priceSet,shopMoney,amount}'") }}) as amount
        from {{ json_elements("line.entry -> 'taxLines'") }} as tax (entry)
    ) as taxes on true
),

-- The amount of a filed line is what is left after its discount.
filed_lines as (
    select
        orders.order_key,
        filed.order_line,
        row_number() over (partition by orders.order_key order by filed.order_line) as line_no,
        filed.product_id,
        filed.units,
        filed.amount_local + coalesce(filed.discount_amount_local, 0) as gross_local,
        coalesce(filed.discount_amount_local, 0) as discount_local,
        filed.freight_amount_local as freight_local,
        sellers.account_key
    from orders
    inner join {{ ref('stg_files__order_lines') }} as filed
        on orders.connection_id = filed.connection_id and orders.order_id = filed.order_id
    left join {{ ref('int_account_records') }} as sellers
        on filed.connection_id || ':' || filed.connection_id || ':' || filed.account_id = sellers.account_record
    where orders.source_system <> 'shopify'
),

known_lines as (
    select * from documented_lines
    union all
    select * from filed_lines
),

-- An order without lines is still an order.
lines as (
    select * from known_lines

    union all

    select
        orders.order_key,
        '(no line)' as order_line,
        1 as line_no,
        null::text as product_id,
        0::numeric as units,
        0::numeric as gross_local,
        0::numeric as discount_local,
        null::numeric as freight_local,
        null::text as account_key
    from orders
    where orders.order_key not in (select order_key from known_lines)
),

refunds as (
    select
        written.order_key,
        written.taxes_included,
        {{ reporting_date("(refund.entry ->> 'createdAt')::timestamptz") }} as refund_date,
        {{ json_number("refund.entry #>> '{totalRefundedSet,shopMoney,amount}'") }} as total,
        refund.entry #> '{refundLineItems,nodes}' as refund_lines
    from written
    cross join lateral {{ json_elements('written.refunds') }} as refund (entry)
),

refund_parts as (
    select
        refunds.order_key,
        refunds.refund_date,
        split_part(part.entry #>> '{lineItem,id}', '/', 5) as order_line,
        {{ json_number("part.entry #>> '{subtotalSet,shopMoney,amount}'") }}
        - case
            when refunds.taxes_included
                then coalesce({{ json_number("part.entry #>> '{totalTaxSet,shopMoney,amount}'") }}, 0)
            else 0
        end as amount
    from refunds
    cross join lateral {{ json_elements('refunds.refund_lines') }} as part (entry)

    union all

    -- Refunds without any line: goodwill.
    select
        order_key,
        refund_date,
        null::text as order_line,
        total as amount
    from refunds
    where jsonb_typeof(refund_lines) is distinct from 'array' or refund_lines = '[]'::jsonb
),

refunded_lines as (
    select
        refund_parts.order_key,
        refund_parts.refund_date,
        refund_parts.amount,
        lines.order_line
    from refund_parts
    left join lines on refund_parts.order_key = lines.order_key and refund_parts.order_line = lines.order_line
),

-- Refunds of no line, or of a deleted one, are spread over the lines by value: end to end, so that no cent is lost.
placed as (
    select
        order_key,
        order_line,
        sum(gross_local - discount_local) over (partition by order_key) as order_value,
        sum(gross_local - discount_local) over (partition by order_key order by line_no) as value_to,
        gross_local - discount_local as line_value,
        line_no
    from lines
),

spread_refunds as (
    select
        pooled.order_key,
        pooled.refund_date,
        placed.order_line,
        case
            when placed.order_value = 0 and placed.line_no = 1 then pooled.amount
            when placed.order_value = 0 then 0
            else
                round(pooled.amount * placed.value_to / placed.order_value, 2)
                - round(pooled.amount * (placed.value_to - placed.line_value) / placed.order_value, 2)
        end as amount
    from (
        select
            order_key,
            refund_date,
            sum(amount) as amount
        from refunded_lines
        where order_line is null
        group by order_key, refund_date
    ) as pooled
    inner join placed on pooled.order_key = placed.order_key

    union all

    select
        order_key,
        refund_date,
        order_line,
        amount
    from refunded_lines
    where order_line is not null
),

-- Refunds use the rate of their own day. Without a rate there is no amount, and the audit stops the publication.
refunded as (
    select
        spread_refunds.order_key,
        spread_refunds.order_line,
        sum(spread_refunds.amount) as refund_local,
        case when count(*) = count(rates.rate) then sum(spread_refunds.amount * rates.rate) end as refund_amount
    from spread_refunds
    inner join orders on spread_refunds.order_key = orders.order_key
    left join {{ ref('int_currency_rates_daily') }} as rates
        on spread_refunds.refund_date = rates.date_day and orders.currency_code = rates.currency_code
    group by spread_refunds.order_key, spread_refunds.order_line
),

codes as (
    select
        written.order_key,
        string_agg(code.entry #>> '{}', ', ' order by code.place) as discount_codes
    from written
    cross join lateral {{ json_elements('written.discount_codes') }} with ordinality as code (entry, place)
    group by written.order_key
),

final as (
    select
        orders.order_key,
        orders.order_id,
        orders.connection_id,
        lines.order_line,
        orders.person_key,
        coalesce(lines.account_key, orders.account_key) as account_key,
        orders.opportunity_key,
        case when lines.product_id is not null then {{ surrogate_key(['lines.product_id']) }} end as product_key,
        lines.product_id,
        orders.campaign_key,
        orders.region,
        orders.status,
        orders.sales_channel,
        orders.channel,
        codes.discount_codes,
        orders.currency_code,
        orders.source_system,
        trim_scale(coalesce(lines.units, 0)) as units,
        trim_scale(lines.gross_local * rates.rate) as gross_amount,
        trim_scale(lines.discount_local * rates.rate) as discount_amount,
        trim_scale(case when refunded.order_key is null then 0 else refunded.refund_amount end) as refund_amount,
        trim_scale(
            (lines.gross_local - lines.discount_local) * rates.rate
            - case when refunded.order_key is null then 0 else refunded.refund_amount end
        ) as net_amount,
        trim_scale(lines.gross_local - lines.discount_local - coalesce(refunded.refund_local, 0)) as amount_local,
        trim_scale(lines.freight_local * rates.rate) as freight_amount,
        orders.is_counted,
        orders.is_counted and not orders.is_deal_won as is_revenue,
        orders.is_test,
        orders.ordered_at,
        orders.ordered_date
    from lines
    inner join orders on lines.order_key = orders.order_key
    left join refunded on lines.order_key = refunded.order_key and lines.order_line = refunded.order_line
    left join codes on lines.order_key = codes.order_key
    left join {{ ref('int_currency_rates_daily') }} as rates
        on orders.ordered_date = rates.date_day and orders.currency_code = rates.currency_code
)

select * from final
