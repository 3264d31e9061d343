{{ config(unique_key=['connection_id', 'row_key'], track=['month_start']) }}

with

filed as (
    select
        connection_id,
        row_key,
        lower(team) as team,
        channel,
        cost_type,
        coalesce(currency_code, {{ reporting_currency() }}) as currency_code,
        amount_local,
        date_trunc('month', month::timestamp)::date as month_start
    from {{ ref('stg_files__costs') }}
),

-- A planned cost of a future month does not count yet.
begun as (
    select * from filed
    where month_start < {{ reporting_date(as_of()) }}
),

final as (
    select
        begun.connection_id,
        begun.row_key,
        begun.team,
        begun.channel,
        begun.cost_type,
        begun.currency_code,
        begun.amount_local,
        -- Without a rate there is no amount, and a test stops the build.
        trim_scale(
            begun.amount_local * case when begun.currency_code = {{ reporting_currency() }} then 1 else rates.rate end
        ) as amount,
        begun.month_start
    from begun
    left join {{ ref('int_currency_rates_daily') }} as rates
        on begun.month_start = rates.date_day and begun.currency_code = rates.currency_code
)

select * from final
