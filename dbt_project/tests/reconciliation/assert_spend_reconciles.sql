-- Spend landed = spend in every mart: in account currency by day and campaign, in reporting currency by day and month.
-- An account that two connections read is spent once: the newest load counts.

with

landed as (
    select
        date_day,
        sum(spend_local) as spend_local
    from (
        select distinct on (date_day, platform, ad_account_id, campaign_id)
            date_day,
            spend_local
        from {{ ref('int_ad_stats_unioned') }}
        where {{ in_tested_days('date_day') }}
        order by date_day, platform, ad_account_id, campaign_id, load_id desc
    ) as stats
    group by date_day
),

facts as (
    select
        date_day,
        sum(spend_local) as spend_local,
        sum(spend) as spend
    from {{ ref('fct_ad_stats_daily') }}
    where {{ in_tested_days('date_day') }}
    group by date_day
),

funnel as (
    select
        date_day,
        sum(spend) as spend
    from {{ ref('fct_funnel_daily') }}
    where {{ in_tested_days('date_day') }}
    group by date_day
),

funnel_months as (
    select
        month_start,
        sum(spend) as spend
    from {{ ref('fct_funnel_daily') }}
    where {{ in_tested_months('month_start') }}
    group by month_start
),

return_months as (
    select
        month_start,
        sum(spend) as spend
    from {{ ref('rpt_channel_return') }}
    where model = 'first' and {{ in_tested_months('month_start') }}
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
    where landed.spend_local is distinct from facts.spend_local

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
        'fct_funnel_daily and rpt_channel_return' as compared,
        coalesce(funnel_months.month_start, return_months.month_start) as period_start,
        funnel_months.spend as landed,
        return_months.spend as found
    from funnel_months
    full outer join return_months on funnel_months.month_start = return_months.month_start
    where coalesce(funnel_months.spend, 0) <> coalesce(return_months.spend, 0)
)

select * from differences
