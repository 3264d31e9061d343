{{ config(unique_key=['product_key']) }}

with

-- What is sold is called the same by everybody who sells it; the price list knows its name and group.
listed as (
    select distinct on (product_id)
        product_id,
        product_name,
        product_group
    from {{ ref('stg_files__products') }}
    order by product_id, valid_from desc nulls last, connection_id
),

named as (
    select product_id from {{ ref('stg_files__opportunities') }}
    union
    select product_id from {{ ref('stg_files__opportunity_lines') }}
    union
    select product_id from {{ ref('stg_files__order_lines') }}
    union
    select product_id from {{ ref('stg_files__sell_through') }}
),

final as (
    select
        {{ surrogate_key(['product_id']) }} as product_key,
        product_id,
        coalesce(listed.product_name, product_id) as product_name,
        coalesce(listed.product_group, 'Unknown') as product_group
    from listed
    full outer join named using (product_id)
    where product_id is not null
)

select * from final
