-- The effects of every two periods are the change of the amount won, by channel, campaign and region, to the last digit.

with

daily as (
    select
        month_start,
        channel,
        campaign_key,
        region,
        sum(won_amount) as won_amount
    from {{ ref('fct_funnel_daily') }}
    group by month_start, channel, campaign_key, region
),

bounds as (
    select
        min(month_start) as first_month,
        {{ reporting_date(as_of()) }} as end_day
    from daily
),

comparisons as (
    select
        kinds.period_grain,
        kinds.compared_with,
        kinds.duration,
        series.month_start::date as period_start,
        (series.month_start - kinds.distance)::date as compared_start
    from bounds
    cross join
        lateral generate_series(
            bounds.first_month::timestamp,
            bounds.end_day::timestamp,
            interval '1 month'
        ) as series (month_start)
    cross join (
        values
        ('month', interval '1 month', 'period before', interval '1 month'),
        ('month', interval '1 month', 'year before', interval '1 year'),
        ('quarter', interval '3 months', 'period before', interval '3 months'),
        ('quarter', interval '3 months', 'year before', interval '1 year')
    ) as kinds (period_grain, duration, compared_with, distance)
    where
        (kinds.period_grain = 'month' or series.month_start::date = {{ fiscal_quarter_start('series.month_start::date') }})
        and series.month_start + kinds.duration <= bounds.end_day
        and series.month_start - kinds.distance >= bounds.first_month
),

-- One row per month of each of the two periods: the later one is added, the earlier one taken off.
compared_months as (
    select
        comparisons.period_grain,
        comparisons.compared_with,
        comparisons.period_start,
        sides.sign,
        series.month_start::date as month_start
    from comparisons
    cross join
        lateral (
            values
            (1, comparisons.period_start),
            (-1, comparisons.compared_start)
        ) as sides (sign, side_start)
    cross join lateral generate_series(
        sides.side_start::timestamp,
        sides.side_start + comparisons.duration - interval '1 month',
        interval '1 month'
    ) as series (month_start)
),

touched_comparisons as (
    select distinct
        period_grain,
        compared_with,
        period_start
    from compared_months
    where {{ is_touched('period_start', 'rpt_drivers') }} or {{ is_touched('month_start', 'fct_funnel_monthly') }}
),

expected as (
    select
        compared_months.period_grain,
        compared_months.compared_with,
        compared_months.period_start,
        daily.channel,
        daily.campaign_key,
        daily.region,
        sum(daily.won_amount * compared_months.sign) as change
    from touched_comparisons
    inner join compared_months using (period_grain, compared_with, period_start)
    inner join daily on compared_months.month_start = daily.month_start
    group by
        compared_months.period_grain,
        compared_months.compared_with,
        compared_months.period_start,
        daily.channel,
        daily.campaign_key,
        daily.region
),

explained as (
    select
        drivers.period_grain,
        drivers.compared_with,
        drivers.period_start,
        drivers.channel,
        drivers.campaign_key,
        drivers.region,
        sum(drivers.volume_effect + drivers.rate_effect + drivers.value_effect) as change
    from {{ ref('rpt_drivers') }} as drivers
    where
        {{ is_touched('drivers.period_start', 'rpt_drivers') }}
        or exists (
            select 1
            from touched_comparisons
            where
                drivers.period_grain = touched_comparisons.period_grain
                and drivers.compared_with = touched_comparisons.compared_with
                and drivers.period_start = touched_comparisons.period_start
        )
    group by
        drivers.period_grain,
        drivers.compared_with,
        drivers.period_start,
        drivers.channel,
        drivers.campaign_key,
        drivers.region
)

select
    period_grain,
    compared_with,
    period_start,
    channel,
    campaign_key,
    region,
    expected.change as expected,
    explained.change as found
from expected
full outer join explained using (period_grain, compared_with, period_start, channel, campaign_key, region)
where coalesce(expected.change, 0) <> coalesce(explained.change, 0)
