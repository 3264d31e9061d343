{{ config(unique_key=['product_id', 'valid_from']) }}

with

filed as (
    select distinct on (product_id, valid_from)
        product_id,
        coalesce(valid_from, '2000-01-01') as valid_from,
        list_price_local as list_price,
        currency_code
    from {{ ref('stg_files__products') }}
    where list_price_local is not null
    order by product_id, valid_from, connection_id
),

priced as (
    select
        'files' as origin,
        product_id,
        currency_code,
        list_price,
        valid_from,
        lead(valid_from) over (partition by product_id order by valid_from) as valid_to
    from filed

    union all

    -- A product that a file prices has its prices from files alone.
    select
        'seed' as origin,
        product_id,
        currency_code,
        list_price,
        valid_from,
        valid_to
    from {{ ref('price_list') }}
    where product_id not in (select product_id from filed)
),

final as (
    select
        product_id,
        origin,
        currency_code,
        trim_scale(list_price) as list_price,
        valid_from,
        valid_to
    from priced
)

select * from final
