{{
    config(
        unique_key=['cohort_week', 'region', 'from_stage', 'lag_days'],
        scope_column='cohort_week',
    )
}}

{% call scope() %}
select date_trunc('week', days.date_day::timestamp)::date
from {{ changes('fct_leads') }} as changes
cross join lateral unnest(
    array[changes.created_date, changes.mql_date, changes.sal_date, changes.sql_date]
) as days (date_day)
union all
select date_trunc('week', created_date::timestamp)::date from {{ changes('fct_opportunities') }}
{% endcall %}

{%- set horizon = var('conversion_horizon_days') %}

with

-- Weeks as spans of days, so that a lead is found through the index on its day.
weeks as (
    select
        week_start,
        week_start + 7 as week_end
    from {{ ref('dim_dates') }}
    where date_day = week_start and {{ in_scope('week_start') }}
),

leads as not materialized (
    select
        *,
        {{ reporting_date('opportunity_at') }} as opportunity_date
    from {{ ref('fct_leads') }}
),

entries as (
    select
        weeks.week_start as cohort_week,
        leads.region,
        'lead' as from_stage,
        leads.mql_date - leads.created_date as days,
        null::numeric as amount,
        null::numeric as won_amount
    from weeks
    inner join leads on weeks.week_start <= leads.created_date and weeks.week_end > leads.created_date

    union all

    select
        weeks.week_start as cohort_week,
        leads.region,
        'mql' as from_stage,
        leads.sal_date - leads.mql_date as days,
        null::numeric as amount,
        null::numeric as won_amount
    from weeks
    inner join leads on weeks.week_start <= leads.mql_date and weeks.week_end > leads.mql_date

    union all

    select
        weeks.week_start as cohort_week,
        leads.region,
        'sal' as from_stage,
        leads.sql_date - leads.sal_date as days,
        null::numeric as amount,
        null::numeric as won_amount
    from weeks
    inner join leads on weeks.week_start <= leads.sal_date and weeks.week_end > leads.sal_date

    union all

    select
        weeks.week_start as cohort_week,
        leads.region,
        'sql' as from_stage,
        leads.opportunity_date - leads.sql_date as days,
        null::numeric as amount,
        null::numeric as won_amount
    from weeks
    inner join leads on weeks.week_start <= leads.sql_date and weeks.week_end > leads.sql_date

    union all

    select
        weeks.week_start as cohort_week,
        opportunities.region,
        'opportunity' as from_stage,
        case when opportunities.is_won then opportunities.closed_date - opportunities.created_date end as days,
        opportunities.amount,
        case when opportunities.is_won then opportunities.amount end as won_amount
    from weeks
    inner join {{ ref('fct_opportunities') }} as opportunities
        on weeks.week_start <= opportunities.created_date and weeks.week_end > opportunities.created_date
    where opportunities.opportunity_type <> 'renewal'
),

lagged as (
    select
        *,
        -- A lead that arrived after the horizon counts as not arrived. If the effect is dated before its cause, the lag
        -- is 0.
        case when days <= {{ horizon }} then greatest(days, 0) else -1 end as lag_days
    from entries
),

final as (
    select
        region,
        from_stage,
        coalesce(lag_days, -1)::integer as lag_days,
        count(*) as entered,
        trim_scale(sum(amount)) as amount,
        trim_scale(sum(won_amount) filter (where lag_days >= 0)) as won_amount,
        cohort_week
    from lagged
    group by cohort_week, region, from_stage, coalesce(lag_days, -1)
)

select * from final
