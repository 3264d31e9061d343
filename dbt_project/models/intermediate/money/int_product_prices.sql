{{ config(unique_key=['product_id', 'valid_from']) }}

with

stated as (
    select
        1 as precedence,
        'files' as origin,
        connection_id,
        product_id,
        coalesce(currency_code, {{ reporting_currency() }}) as currency_code,
        list_price_local as list_price,
        coalesce(valid_from, '2000-01-01') as valid_from,
        valid_to
    from {{ ref('stg_files__price_list') }}

    union all

    select
        2 as precedence,
        'files' as origin,
        connection_id,
        product_id,
        coalesce(currency_code, {{ reporting_currency() }}) as currency_code,
        list_price_local as list_price,
        coalesce(valid_from, '2000-01-01') as valid_from,
        null::date as valid_to
    from {{ ref('stg_files__products') }}
    where list_price_local is not null

    union all

    select
        3 as precedence,
        'seed' as origin,
        'seed' as connection_id,
        product_id,
        currency_code,
        list_price,
        valid_from,
        valid_to
    from {{ ref('price_list') }}
),

-- A product has prices from one origin: a price list of files, else the products of files, else the seed.
chosen as (
    select distinct on (product_id, valid_from) *
    from (
        select
            *,
            min(precedence) over (partition by product_id) as best
        from stated
    ) as ranked
    where precedence = best
    order by product_id, valid_from, connection_id
),

final as (
    select
        product_id,
        origin,
        currency_code,
        trim_scale(list_price) as list_price,
        valid_from,
        least(valid_to, lead(valid_from) over (partition by product_id order by valid_from)) as valid_to
    from chosen
)

select * from final
