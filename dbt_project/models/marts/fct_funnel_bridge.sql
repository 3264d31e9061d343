{{
    config(
        unique_key=['month_start', 'channel', 'stage'],
        scope_column='month_start',
    )
}}

{% call scope() %}
select date_trunc('month', unnest(array[created_date, mql_date, sal_date, sql_date])::timestamp)::date
from {{ changes('fct_leads') }}
union all
select date_trunc('month', unnest(array[created_date, closed_date])::timestamp)::date
from {{ changes('fct_opportunities') }}
union all
select {{ month_of('leads.created_date') }}
from {{ changes('fct_opportunities') }} as changed
inner join {{ ref('fct_leads') }} as leads on changed.lead_key = leads.lead_key
union all
select date_trunc('month', unnest(array[opportunities.created_date, opportunities.closed_date])::timestamp)::date
from {{ ref('fct_opportunities') }} as opportunities
where {{ is_touched('opportunities.lead_key', 'fct_leads') }}
{% endcall %}

with

leads as not materialized (
    select * from {{ ref('fct_leads') }}
),

opportunities as not materialized (
    select * from {{ ref('fct_opportunities') }}
    where opportunity_type <> 'renewal'
),

leads_in_scope as (
    select
        channel,
        created_date,
        mql_date,
        sal_date,
        sql_date
    from leads
    where
        {{ in_months_of_scope('created_date') }}
        or {{ in_months_of_scope('mql_date') }}
        or {{ in_months_of_scope('sal_date') }}
        or {{ in_months_of_scope('sql_date') }}
),

opportunity_keys as (
    select opportunity_key from opportunities
    where {{ in_months_of_scope('created_date') }}
    union
    select opportunity_key from opportunities
    where {{ in_months_of_scope('closed_date') }}
    union
    select opportunities.opportunity_key
    from leads
    inner join opportunities on leads.lead_key = opportunities.lead_key
    where {{ in_months_of_scope('leads.created_date') }}
),

-- Both clocks of everything: the month in which it happened and the month in which its journey began. A journey begins
-- with the lead, without a lead with the opportunity, and not after its own result.
movements as (
    select
        leads_in_scope.channel,
        steps.stage,
        {{ month_of('steps.reached_date') }} as activity_month,
        {{ month_of('least(leads_in_scope.created_date, steps.reached_date)') }} as cohort_month,
        true as has_lead
    from leads_in_scope
    cross join
        lateral (
            values
            ('lead', leads_in_scope.created_date),
            ('mql', leads_in_scope.mql_date),
            ('sal', leads_in_scope.sal_date),
            ('sql', leads_in_scope.sql_date)
        ) as steps (stage, reached_date)
    where steps.reached_date is not null

    union all

    select
        opportunities.channel,
        steps.stage,
        {{ month_of('steps.reached_date') }} as activity_month,
        {{ month_of('least(coalesce(leads.created_date, opportunities.created_date), steps.reached_date)') }} as cohort_month,
        leads.lead_key is not null as has_lead
    from opportunity_keys
    inner join opportunities on opportunity_keys.opportunity_key = opportunities.opportunity_key
    left join leads on opportunities.lead_key = leads.lead_key
    cross join
        lateral (
            values
            ('opportunity', opportunities.created_date),
            ('won', case when opportunities.is_won then opportunities.closed_date end)
        ) as steps (stage, reached_date)
    where steps.reached_date is not null
),

activity as (
    select
        activity_month as month_start,
        channel,
        stage,
        count(*) as activity_count,
        count(*) filter (where cohort_month = activity_month) as in_cohort_and_month,
        count(*) filter (where cohort_month < activity_month) as from_earlier_cohorts,
        count(*) filter (where not has_lead) as activity_without_lead
    from movements
    where {{ in_scope('activity_month') }}
    group by activity_month, channel, stage
),

cohorts as (
    select
        cohort_month as month_start,
        channel,
        stage,
        count(*) as cohort_count,
        count(*) filter (where activity_month > cohort_month) as in_later_months,
        count(*) filter (where not has_lead) as cohort_without_lead
    from movements
    where {{ in_scope('cohort_month') }}
    group by cohort_month, channel, stage
),

final as (
    select
        channel,
        stage,
        coalesce(activity.activity_count, 0) as activity_count,
        coalesce(activity.in_cohort_and_month, 0) as in_cohort_and_month,
        coalesce(activity.from_earlier_cohorts, 0) as from_earlier_cohorts,
        coalesce(cohorts.in_later_months, 0) as in_later_months,
        coalesce(cohorts.cohort_count, 0) as cohort_count,
        coalesce(activity.activity_without_lead, 0) as activity_without_lead,
        coalesce(cohorts.cohort_without_lead, 0) as cohort_without_lead,
        month_start
    from activity
    full outer join cohorts using (month_start, channel, stage)
)

select * from final
