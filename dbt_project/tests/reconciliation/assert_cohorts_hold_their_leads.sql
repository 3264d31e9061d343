-- Every age and stage of a cohort contains all leads of its month, in the months that this build touched.
with

months as (
    select distinct {{ month_of('created_date') }} as cohort_month
    from {{ touched('fct_leads') }}
    where created_date is not null
),

counted as (
    select
        months.cohort_month,
        count(leads.lead_key) as leads
    from months
    left join {{ ref('fct_leads') }} as leads
        on
            months.cohort_month <= leads.created_date
            and leads.created_date < (months.cohort_month + interval '1 month')::date
    group by months.cohort_month
),

shown as (
    select
        cohort_month,
        stage,
        age_days,
        sum(leads) as leads
    from {{ ref('fct_funnel_cohorts') }}
    where cohort_month in (select months.cohort_month from months)
    group by cohort_month, stage, age_days
)

select
    cohort_month,
    shown.stage,
    shown.age_days,
    counted.leads as expected,
    shown.leads as found
from counted
full outer join shown using (cohort_month)
where coalesce(counted.leads, 0) <> coalesce(shown.leads, 0)
