{{
    config(
        unique_key=['period_start', 'period_grain', 'compared_with', 'measure', 'channel', 'campaign_key', 'region', 'step'],
        scope_column='period_start',
    )
}}

{% call scope() %}
select period_start::date
from (
    select
        month_start,
        {{ fiscal_quarter_start('month_start') }} as quarter_start
    from {{ changes('fct_funnel_monthly') }}
) as changed
cross join lateral (
    values
    (changed.month_start),
    (changed.month_start + interval '1 month'),
    (changed.month_start + interval '1 year'),
    (changed.quarter_start),
    (changed.quarter_start + interval '3 months'),
    (changed.quarter_start + interval '1 year')
) as compared (period_start)
union all
-- Months and quarters that have become whole.
select generate_series(
    date_trunc('month', {{ published_as_of() }} at time zone {{ reporting_timezone() }}) - interval '3 months',
    {{ reporting_date(as_of()) }}::timestamp,
    interval '1 month'
)::date
union all
-- With another first month, other periods have one before them.
select month_start
from {{ ref('fct_funnel_monthly') }}
where
    (select min(month_start) from {{ changes('fct_funnel_monthly') }})
    <= (select min(month_start) from {{ ref('fct_funnel_monthly') }})
{% endcall %}

with

monthly as (
    select * from {{ ref('fct_funnel_monthly') }}
),

months as (
    select
        series.month_start::date as month_start,
        first_months.month_start as first_month
    from (select min(month_start) as month_start from monthly) as first_months
    cross join generate_series(
        first_months.month_start::timestamp,
        {{ reporting_date(as_of()) }}::timestamp,
        interval '1 month'
    ) as series (month_start)
),

periods as (
    select
        'month' as period_grain,
        month_start as period_start,
        interval '1 month' as duration,
        first_month
    from months

    union all

    select distinct
        'quarter' as period_grain,
        {{ fiscal_quarter_start('month_start') }} as period_start,
        interval '3 months' as duration,
        first_month
    from months
),

-- Only whole periods: one that still runs lacks its last days, and the data may begin within one.
comparisons as (
    select
        periods.period_grain,
        periods.period_start,
        periods.duration,
        compared.compared_with,
        compared.compared_start::date as compared_start
    from periods
    cross join
        lateral (
            values
            ('period before', periods.period_start - periods.duration),
            ('year before', periods.period_start - interval '1 year')
        ) as compared (compared_with, compared_start)
    where
        periods.period_start + periods.duration <= {{ reporting_date(as_of()) }}
        and compared.compared_start >= periods.first_month
        and {{ in_scope('periods.period_start') }}
),

compared_months as (
    select
        comparisons.*,
        sides.is_later,
        series.month_start::date as month_start
    from comparisons
    cross join
        lateral (
            values
            (false, comparisons.compared_start),
            (true, comparisons.period_start)
        ) as sides (is_later, side_start)
    cross join lateral generate_series(
        sides.side_start::timestamp,
        sides.side_start + comparisons.duration - interval '1 month',
        interval '1 month'
    ) as series (month_start)
),

sides as (
    select
        compared_months.period_grain,
        compared_months.period_start,
        compared_months.compared_with,
        compared_months.compared_start,
        compared_months.is_later,
        monthly.channel,
        monthly.campaign_key,
        monthly.region,
        array[
            sum(monthly.sessions), sum(monthly.leads), sum(monthly.mqls), sum(monthly.sals), sum(monthly.sqls),
            sum(monthly.opportunities), sum(monthly.won)
        ]::bigint[] as counts,
        sum(monthly.won_amount) as amount
    from compared_months
    inner join monthly on compared_months.month_start = monthly.month_start
    group by
        compared_months.period_grain,
        compared_months.period_start,
        compared_months.compared_with,
        compared_months.compared_start,
        compared_months.is_later,
        monthly.channel,
        monthly.campaign_key,
        monthly.region
),

segments as (
    select
        period_grain,
        period_start,
        compared_with,
        compared_start,
        channel,
        campaign_key,
        region,
        max(counts) filter (where not is_later) as earlier,
        max(counts) filter (where is_later) as later,
        max(amount) filter (where not is_later) as earlier_amount,
        max(amount) filter (where is_later) as later_amount
    from sides
    group by period_grain, period_start, compared_with, compared_start, channel, campaign_key, region
    -- Without an amount in either period nothing changed.
    having bool_or(amount <> 0)
),

final as (
    select
        segments.campaign_key,
        segments.period_grain,
        segments.compared_with,
        'won_amount' as measure,
        segments.channel,
        segments.region,
        effects.step,
        effects.from_step,
        effects.earlier_factor,
        effects.later_factor,
        effects.volume_effect,
        effects.rate_effect,
        effects.value_effect,
        segments.period_start,
        segments.compared_start
    from segments
    cross join lateral bi.driver_effects(
        segments.earlier, segments.later, segments.earlier_amount, segments.later_amount
    ) as effects
)

select * from final
