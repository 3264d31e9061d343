{{
    config(
        unique_key=['currency_code', 'date_day'],
        indexes=[{'columns': ['date_day', 'currency_code']}],
    )
}}

with

quotations as (
    select *
    from {{ ref('int_currency_rates_unioned') }}
    where currency_code <> 'USD' and rate_to_usd > 0
),

-- A currency has one origin of rates at a time: from the first day of a better origin on, the others are ignored.
-- Otherwise rates would jump between two origins.
begun as (
    select
        currency_code,
        precedence,
        min(rate_date) as first_date
    from quotations
    group by currency_code, precedence
),

chosen as (
    select distinct on (quotations.currency_code, quotations.rate_date)
        quotations.currency_code,
        quotations.origin,
        quotations.rate_date,
        quotations.rate_to_usd
    from quotations
    where
        not exists (
            select 1
            from begun
            where
                begun.currency_code = quotations.currency_code
                and begun.precedence < quotations.precedence
                and begun.first_date <= quotations.rate_date
        )
    order by quotations.currency_code, quotations.rate_date, quotations.precedence, quotations.connection_id
),

quoted as (
    select
        currency_code,
        origin,
        rate_date,
        rate_to_usd,
        lead(rate_date) over (partition by currency_code order by rate_date) as next_rate_date
    from chosen
),

-- Rates are quoted in dollars, and the reporting currency has the rate 1: both need no quotation.
days_without_quotation as (
    select '2000-01-01'::date + day_no as date_day
    from generate_series(0, ({{ as_of() }} at time zone 'UTC')::date + 366 - '2000-01-01'::date) as days (day_no)
),

carried as (
    select
        quoted.currency_code,
        quoted.origin,
        quoted.rate_date + days.day_no as date_day,
        quoted.rate_date,
        quoted.rate_to_usd
    from quoted
    cross join
        lateral (
            select generate_series(
                0,
                coalesce(quoted.next_rate_date, ({{ as_of() }} at time zone 'UTC')::date + 367) - quoted.rate_date - 1
            ) as day_no
        ) as days

    union all

    select
        'USD' as currency_code,
        'itself' as origin,
        date_day,
        date_day as rate_date,
        1.0 as rate_to_usd
    from days_without_quotation
),

converted as (
    select
        carried.currency_code,
        carried.origin,
        trim_scale(carried.rate_to_usd / reporting.rate_to_usd) as rate,
        carried.rate_date < carried.date_day as is_carried,
        carried.date_day,
        carried.rate_date
    from carried
    inner join carried as reporting
        on
            carried.date_day = reporting.date_day
            and reporting.currency_code = {{ reporting_currency() }}
    where carried.currency_code <> {{ reporting_currency() }}

    union all

    select
        {{ reporting_currency() }} as currency_code,
        'itself' as origin,
        1::numeric as rate,
        false as is_carried,
        date_day,
        date_day as rate_date
    from days_without_quotation
),

final as (
    select
        currency_code,
        origin,
        rate,
        is_carried,
        date_day,
        rate_date
    from converted
)

select * from final
