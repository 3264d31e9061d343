{{ config(unique_key=['product_id']) }}

with

-- A line keeps the title under which it was bought. Of several the first in the alphabet is taken, so that the order in
-- which orders are loaded does not matter and an incremental build needs only the new ones. A product that an edit took
-- off its only order stays until the next full build: no fact points at it.
named as (
    select
        coalesce(nullif(line.entry ->> 'sku', ''), line.entry #>> '{product,legacyResourceId}') as product_id,
        nullif(line.entry ->> 'title', '') as product_name
    from {{ ref('stg_shopify__orders') }} as orders
    cross join lateral {{ json_elements('orders.lines') }} as line (entry)
    {%- if not is_full_build() %}
    where orders.load_id > {{ since_load_id() }}

    union all

    select
        product_id,
        product_name
    from {{ this }}
    {%- endif %}
),

final as (
    select
        product_id,
        min(product_name) as product_name
    from named
    where product_id is not null
    group by product_id
)

select * from final
