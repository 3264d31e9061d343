-- The activity of the bridge equals fct_funnel_daily, channel by channel, in the months that this build touched. In a
-- full build its cohorts equal the leads of fct_leads by the month of their creation, with everything that they and
-- their opportunities reached at any time.
{%- set months = ['fct_funnel_bridge', 'fct_funnel_daily'] %}

with

activity as (
    select
        daily.month_start,
        daily.channel,
        stages.stage,
        sum(stages.entities) as entities
    from {{ ref('fct_funnel_daily') }} as daily
    cross join
        lateral (
            values
            ('lead', daily.leads),
            ('mql', daily.mqls),
            ('sal', daily.sals),
            ('sql', daily.sqls),
            ('opportunity', daily.opportunities),
            ('won', daily.won)
        ) as stages (stage, entities)
    where {{ is_touched('daily.month_start', months) }}
    group by daily.month_start, daily.channel, stages.stage
),

leads as (
    select * from {{ ref('fct_leads') }}
    {%- if not is_full_build() %}
    where false
    {%- endif %}
),

opportunities as (
    select * from {{ ref('fct_opportunities') }}
    where opportunity_type <> 'renewal'
),

cohorts as (
    select
        {{ month_of('leads.created_date') }} as month_start,
        leads.channel,
        stages.stage,
        sum(stages.entities) as entities
    from leads
    cross join
        lateral (
            values
            ('lead', 1),
            ('mql', num_nonnulls(leads.mql_date)),
            ('sal', num_nonnulls(leads.sal_date)),
            ('sql', num_nonnulls(leads.sql_date))
        ) as stages (stage, entities)
    group by {{ month_of('leads.created_date') }}, leads.channel, stages.stage

    union all

    select
        {{ month_of('leads.created_date') }} as month_start,
        leads.channel,
        'opportunity' as stage,
        count(*) as entities
    from leads
    inner join opportunities on leads.lead_key = opportunities.lead_key
    group by {{ month_of('leads.created_date') }}, leads.channel

    union all

    -- A deal closed before its lead was created is in the month of its close.
    select
        {{ month_of('least(leads.created_date, opportunities.closed_date)') }} as month_start,
        leads.channel,
        'won' as stage,
        count(*) as entities
    from leads
    inner join opportunities on leads.lead_key = opportunities.lead_key
    where opportunities.is_won
    group by {{ month_of('least(leads.created_date, opportunities.closed_date)') }}, leads.channel
),

bridge as (
    select * from {{ ref('fct_funnel_bridge') }}
    where {{ is_touched('month_start', months) }}
)

select
    month_start,
    channel,
    stage,
    activity.entities as activity_expected,
    bridge.activity_count as activity_found,
    cohorts.entities as cohort_expected,
    bridge.cohort_count - bridge.cohort_without_lead as cohort_found
from bridge
full outer join activity using (month_start, channel, stage)
full outer join cohorts using (month_start, channel, stage)
where
    coalesce(activity.entities, 0) <> coalesce(bridge.activity_count, 0){% if is_full_build() %}
    or coalesce(cohorts.entities, 0) <> coalesce(bridge.cohort_count - bridge.cohort_without_lead, 0){% endif %}
