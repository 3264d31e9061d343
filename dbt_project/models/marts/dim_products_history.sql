{{
    config(
        unique_key=['product_version_key'],
        indexes=[{'columns': ['product_key']}],
    )
}}

with

prices as (
    select distinct on (product_id, coalesce(valid_from, '2000-01-01'))
        product_id,
        list_price_local as list_price,
        currency_code,
        coalesce(valid_from, '2000-01-01') as valid_from
    from {{ ref('stg_files__products') }}
    where list_price_local is not null
    order by product_id, coalesce(valid_from, '2000-01-01'), connection_id
),

final as (
    select
        {{ surrogate_key(['product_id', 'valid_from']) }} as product_version_key,
        {{ surrogate_key(['product_id']) }} as product_key,
        currency_code,
        trim_scale(list_price) as list_price,
        valid_from,
        lead(valid_from) over (partition by product_id order by valid_from) as valid_to
    from prices
)

select * from final
