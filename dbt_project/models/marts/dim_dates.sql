{{ config(unique_key=['date_day']) }}

with

days as (
    select '2000-01-01'::date + day_no as date_day
    from generate_series(
        0,
        (date_trunc('year', {{ as_of() }} at time zone {{ reporting_timezone() }}) + interval '2 years')::date
        - '2000-01-01'::date
        - 1
    ) as series (day_no)
),

fiscal as (
    select
        date_day,
        -- The fiscal year is named after the calendar year in which it ends.
        (date_day + make_interval(months => (13 - {{ var('fiscal_year_start_month') }}) % 12))::date as fiscal_day
    from days
),

holidays as (
    select holiday_date
    from {{ ref('holidays') }}
    where calendar = '{{ var("business_calendar") }}'
),

final as (
    select
        to_char(date_day, 'IYYY"-W"IW') as iso_week,
        to_char(fiscal_day, '"FY"YYYY"-Q"Q') as fiscal_quarter,
        extract(isodow from date_day)::integer as iso_day_of_week,
        extract(isodow from date_day) < 6
        and date_day not in (select holiday_date from holidays) as is_business_day,
        date_day,
        date_trunc('week', date_day::timestamp)::date as week_start,
        date_trunc('month', date_day::timestamp)::date as month_start,
        date_trunc('quarter', date_day::timestamp)::date as quarter_start,
        date_trunc('year', date_day::timestamp)::date as year_start
    from fiscal
)

select * from final
