{{ config(unique_key=['product_id']) }}

with

-- A line keeps the title of the time of purchase. The alphabetically first title is used, so that the order of loading
-- does not matter and an incremental build needs only the new ones. A product that an edit removed from its only order
-- stays until the next full build: no fact refers to it.
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
