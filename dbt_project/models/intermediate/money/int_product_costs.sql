{{ config(unique_key=['product_id', 'valid_from']) }}

with

stated as (
    select distinct on (product_id, coalesce(valid_from, '2000-01-01'))
        product_id,
        coalesce(currency_code, {{ reporting_currency() }}) as currency_code,
        unit_cost_local,
        coalesce(valid_from, '2000-01-01') as valid_from
    from {{ ref('stg_files__products') }}
    where unit_cost_local is not null
    order by product_id, coalesce(valid_from, '2000-01-01'), connection_id
),

final as (
    select
        product_id,
        currency_code,
        trim_scale(unit_cost_local) as unit_cost,
        valid_from,
        lead(valid_from) over (partition by product_id order by valid_from) as valid_to
    from stated
)

select * from final
