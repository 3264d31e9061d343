{{ config(unique_key=['product_key'], track=['product_group']) }}

with

-- All sources use the same product id; the price list has its name and group.
listed as (
    select distinct on (product_id)
        product_id,
        product_name,
        product_group
    from {{ ref('stg_files__products') }}
    order by product_id, valid_from desc nulls last, connection_id
),

sold as (
    select
        product_id,
        null::text as product_name,
        null::text as product_group
    from {{ ref('stg_files__opportunities') }}
    union all
    select
        product_id,
        null::text as product_name,
        null::text as product_group
    from {{ ref('stg_files__opportunity_lines') }}
    union all
    select
        product_id,
        null::text as product_name,
        null::text as product_group
    from {{ ref('stg_files__order_lines') }}
    union all
    select
        product_id,
        null::text as product_name,
        null::text as product_group
    from {{ ref('stg_files__sell_through') }}
    union all
    select
        product_id,
        product_name,
        null::text as product_group
    from {{ ref('stg_hubspot__line_items') }}
    union all
    select
        product_id,
        product_name,
        null::text as product_group
    from {{ ref('int_shop_products') }}
    union all
    select
        product_id,
        null::text as product_name,
        null::text as product_group
    from {{ ref('int_product_prices') }}
    union all
    select
        product_id,
        product_name,
        product_group
    from {{ ref('stg_salesforce__products') }}
    union all
    select
        product_id,
        null::text as product_name,
        null::text as product_group
    from {{ ref('stg_salesforce__opportunity_line_items') }}
),

named as (
    select
        product_id,
        min(product_name) as product_name,
        min(product_group) as product_group
    from sold
    group by product_id
),

final as (
    select
        {{ surrogate_key(['product_id']) }} as product_key,
        product_id,
        coalesce(listed.product_name, named.product_name, product_id) as product_name,
        coalesce(listed.product_group, named.product_group, 'Unknown') as product_group
    from listed
    full outer join named using (product_id)
    where product_id is not null
)

select * from final
