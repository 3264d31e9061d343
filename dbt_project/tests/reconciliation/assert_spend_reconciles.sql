-- Spend landed equals spend in every mart: in account currency by day and campaign, in reporting currency by day and
-- month. Clicks reach the funnel in the same way. If two connections read a campaign's day, it counts once: the
-- platform's own connection overrides a file, then the newest load counts.

with

landed as (
    select
        stats.date_day,
        sum(stats.spend_local) as spend_local,
        sum(stats.spend_local * rates.rate) as spend
    from (
        select
            *,
            first_value(source_system || ' ' || connection_id) over (
                partition by date_day, platform, ad_account_id, campaign_id
                order by source_system = platform desc, load_id desc, connection_id
            ) as counted_connection
        from {{ ref('int_ad_stats_unioned') }}
        where {{ is_touched_day('date_day') }}
    ) as stats
    left join {{ ref('int_currency_rates_daily') }} as rates
        on stats.date_day = rates.date_day and stats.currency_code = rates.currency_code
    where stats.source_system || ' ' || stats.connection_id = stats.counted_connection
    group by stats.date_day
),

facts as (
    select
        date_day,
        sum(spend_local) as spend_local,
        sum(spend) as spend,
        sum(clicks) as clicks,
        -- A campaign with spend in several currencies has no amount in one of them.
        bool_or(currency_code is null and spend_local is null) as is_mixed
    from {{ ref('fct_ad_stats_daily') }}
    where {{ is_touched_day('date_day') }}
    group by date_day
),

funnel as (
    select
        date_day,
        sum(spend) as spend,
        sum(clicks) as clicks
    from {{ ref('fct_funnel_daily') }}
    where {{ is_touched_day('date_day') }}
    group by date_day
),

funnel_months as (
    select
        month_start,
        sum(spend) as spend
    from {{ ref('fct_funnel_daily') }}
    where {{ is_touched('month_start', ['rpt_channel_return', 'fct_funnel_daily']) }}
    group by month_start
),

return_months as (
    select
        month_start,
        sum(spend) as spend
    from {{ ref('rpt_channel_return') }}
    where model = 'first' and {{ is_touched('month_start', ['rpt_channel_return', 'fct_funnel_daily']) }}
    group by month_start
),

differences as (
    select
        'landed and fct_ad_stats_daily, account currency' as compared,
        coalesce(landed.date_day, facts.date_day) as period_start,
        landed.spend_local as landed,
        facts.spend_local as found
    from landed
    full outer join facts on landed.date_day = facts.date_day
    where landed.spend_local is distinct from facts.spend_local and facts.is_mixed is not true

    union all

    select
        'landed and fct_ad_stats_daily, reporting currency' as compared,
        coalesce(landed.date_day, facts.date_day) as period_start,
        landed.spend as landed,
        facts.spend as found
    from landed
    full outer join facts on landed.date_day = facts.date_day
    where landed.spend is distinct from facts.spend

    union all

    select
        'fct_ad_stats_daily and fct_funnel_daily' as compared,
        coalesce(facts.date_day, funnel.date_day) as period_start,
        facts.spend as landed,
        funnel.spend as found
    from facts
    full outer join funnel on facts.date_day = funnel.date_day
    where coalesce(facts.spend, 0) <> coalesce(funnel.spend, 0)

    union all

    select
        'fct_ad_stats_daily and fct_funnel_daily, clicks' as compared,
        coalesce(facts.date_day, funnel.date_day) as period_start,
        facts.clicks as landed,
        funnel.clicks as found
    from facts
    full outer join funnel on facts.date_day = funnel.date_day
    where coalesce(facts.clicks, 0) <> coalesce(funnel.clicks, 0)

    union all

    select
        'fct_funnel_daily and rpt_channel_return' as compared,
        coalesce(funnel_months.month_start, return_months.month_start) as period_start,
        funnel_months.spend as landed,
        return_months.spend as found
    from funnel_months
    full outer join return_months on funnel_months.month_start = return_months.month_start
    where coalesce(funnel_months.spend, 0) <> coalesce(return_months.spend, 0)
)

select * from differences
