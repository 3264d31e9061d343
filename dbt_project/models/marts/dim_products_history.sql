{{
    config(
        unique_key=['product_version_key'],
        track=['product_key'],
        indexes=[{'columns': ['product_key']}],
    )
}}

with

prices as (
    select * from {{ ref('int_product_prices') }}
),

final as (
    select
        {{ surrogate_key(['product_id', 'valid_from']) }} as product_version_key,
        {{ surrogate_key(['product_id']) }} as product_key,
        currency_code,
        list_price,
        valid_from,
        valid_to
    from prices
)

select * from final
