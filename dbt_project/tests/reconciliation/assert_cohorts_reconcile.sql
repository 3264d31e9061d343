{{ config(tags=['full_build']) }}
-- Every age of a cohort contains all leads of its month, and a mature one the leads that reached the stage by that age.
-- (A daily build compares the leads of the months that it touches: assert_cohorts_hold_their_leads.)

with

cohorts as (
    select * from {{ ref('fct_funnel_cohorts') }}
),

leads as (
    select
        *,
        {{ month_of('created_date') }} as cohort_month
    from {{ ref('fct_leads') }}
),

counted as (
    select
        leads.cohort_month,
        leads.channel,
        leads.region,
        ages.age_days,
        count(*) as leads,
        count(*) filter (where leads.mql_date - leads.created_date <= ages.age_days) as mql,
        count(*) filter (where leads.sal_date - leads.created_date <= ages.age_days) as sal,
        count(*) filter (where leads.sql_date - leads.created_date <= ages.age_days) as sql,
        count(*) filter (
            where {{ reporting_date('leads.opportunity_at') }} - leads.created_date <= ages.age_days
        ) as opportunity,
        count(*) filter (where {{ reporting_date('leads.won_at') }} - leads.created_date <= ages.age_days) as won
    from leads
    cross join (select distinct age_days from cohorts) as ages
    group by leads.cohort_month, leads.channel, leads.region, ages.age_days
),

expected as (
    select
        counted.cohort_month,
        counted.channel,
        counted.region,
        counted.age_days,
        counted.leads,
        stages.stage,
        stages.reached
    from counted
    cross join
        lateral (
            values
            ('mql', counted.mql),
            ('sal', counted.sal),
            ('sql', counted.sql),
            ('opportunity', counted.opportunity),
            ('won', counted.won)
        ) as stages (stage, reached)
)

select
    cohort_month,
    channel,
    region,
    stage,
    age_days,
    expected.leads as leads_expected,
    cohorts.leads as leads_found,
    expected.reached as reached_expected,
    cohorts.reached as reached_found
from expected
full outer join cohorts using (cohort_month, channel, region, stage, age_days)
where
    expected.leads is distinct from cohorts.leads
    or (cohorts.is_mature and expected.reached <> cohorts.reached)
    or cohorts.reached > expected.reached
