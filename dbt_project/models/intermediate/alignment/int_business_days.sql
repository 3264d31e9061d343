{{ config(unique_key=['region', 'date_day']) }}

with

hours as (
    select * from {{ ref('business_hours') }}
),

holidays as (
    select
        region,
        holiday_date
    from {{ ref('int_regional_holidays') }}
),

days as (
    select date_day from {{ ref('dim_dates') }}
),

opened as (
    select
        hours.region,
        hours.time_zone,
        days.date_day,
        -- Counted in elapsed time: hours that daylight saving removes from a night are not worked.
        (days.date_day + hours.opens_at) at time zone hours.time_zone as opens_at,
        case
            when
                position(extract(isodow from days.date_day)::text in hours.working_days) > 0
                and holidays.holiday_date is null
                then
                    extract(
                        epoch from (days.date_day + hours.closes_at) at time zone hours.time_zone
                        - (days.date_day + hours.opens_at) at time zone hours.time_zone
                    )::bigint
            else 0
        end as seconds_open
    from hours
    cross join days
    left join holidays on hours.region = holidays.region and days.date_day = holidays.holiday_date
),

final as (
    select
        region,
        time_zone,
        (sum(seconds_open) over (partition by region order by date_day) - seconds_open)::bigint as seconds_before,
        seconds_open,
        opens_at,
        date_day
    from opened
)

select * from final
