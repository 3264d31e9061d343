{{
    config(
        unique_key=['subject_key', 'step'],
        scope_column='subject_key',
        track=['entered_date'],
        indexes=[{'columns': ['entered_date']}, {'columns': ['matured_date']}],
    )
}}

{% call scope() %}
select lead_key from {{ changes('fct_leads') }}
union all
select opportunity_key from {{ changes('fct_opportunities') }}
union all
select opportunity_key
from {{ ref('fct_opportunities') }}
where {{ is_touched('lead_key', 'fct_leads') }}
{% endcall %}

with

-- A lead that skipped a step got at least as far as the next one.
leads as (
    select
        *,
        created_date + {{ var('conversion_horizon_days') }} as matured_date,
        case
            when {{ reporting_date('won_at') }} <= created_date + {{ var('conversion_horizon_days') }} then 6
            when {{ reporting_date('opportunity_at') }} <= created_date + {{ var('conversion_horizon_days') }} then 5
            when sql_date <= created_date + {{ var('conversion_horizon_days') }} then 4
            when sal_date <= created_date + {{ var('conversion_horizon_days') }} then 3
            when mql_date <= created_date + {{ var('conversion_horizon_days') }} then 2
            else 1
        end as furthest_step
    from {{ ref('fct_leads') }}
    where {{ in_scope('lead_key') }}
),

opportunities as (
    select * from {{ ref('fct_opportunities') }}
    where opportunity_type <> 'renewal' and {{ in_scope('opportunity_key') }}
),

lead_steps as (
    select
        leads.lead_key as subject_key,
        leads.campaign_key,
        leads.channel,
        leads.region,
        steps.step,
        case
            when steps.entered_date is null then null
            when steps.steps_missing > 0 then 'a step skipped'
            else 'every step'
        end as path,
        steps.step_order,
        steps.entered_date - steps.before_date as days_since_step_before,
        case when steps.step_order > 1 then leads.furthest_step >= steps.step_order - 1 end as is_step_before_reached,
        leads.furthest_step >= steps.step_order as is_reached,
        steps.entered_date,
        leads.matured_date
    from leads
    cross join lateral (
        values
        ('lead', 1, leads.created_date, null::date, 0),
        ('mql', 2, leads.mql_date, leads.created_date, 0),
        ('sal', 3, leads.sal_date, leads.mql_date, num_nulls(leads.mql_date)),
        ('sql', 4, leads.sql_date, leads.sal_date, num_nulls(leads.mql_date, leads.sal_date)),
        ('opportunity', 5, null::date, null::date, 0),
        ('won', 6, null::date, null::date, 0)
    ) as steps (step, step_order, entered_date, before_date, steps_missing)
),

deal_steps as (
    select
        opportunities.opportunity_key as subject_key,
        opportunities.campaign_key,
        opportunities.channel,
        opportunities.region,
        steps.step,
        case
            when leads.lead_key is null then 'no lead'
            when num_nulls(leads.mql_date, leads.sal_date, leads.sql_date) > 0 then 'a step skipped'
            else 'every step'
        end as path,
        steps.step_order,
        steps.entered_date - steps.before_date as days_since_step_before,
        null::boolean as is_step_before_reached,
        null::boolean as is_reached,
        steps.entered_date,
        null::date as matured_date
    from opportunities
    left join {{ ref('fct_leads') }} as leads on opportunities.lead_key = leads.lead_key
    cross join
        lateral (
            values
            ('opportunity', 5, opportunities.created_date, leads.sql_date),
            ('won', 6, case when opportunities.is_won then opportunities.closed_date end, opportunities.created_date)
        ) as steps (step, step_order, entered_date, before_date)
    where steps.entered_date is not null
),

all_steps as (
    select * from lead_steps
    union all
    select * from deal_steps
),

final as (
    select
        subject_key,
        campaign_key,
        channel,
        region,
        step,
        path,
        step_order,
        case when days_since_step_before >= 0 then days_since_step_before end as days_since_step_before,
        is_step_before_reached,
        is_reached,
        entered_date,
        matured_date
    from all_steps
)

select * from final
