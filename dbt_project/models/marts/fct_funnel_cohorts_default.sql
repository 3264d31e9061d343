{{ config(materialized='view') }}

select
    -- strings
    channel,
    region,

    -- numerics
    max(leads) as leads,
    sum(reached) filter (where stage = 'mql')::bigint as became_mql,
    sum(reached) filter (where stage = 'sal')::bigint as became_sal,
    sum(reached) filter (where stage = 'sql')::bigint as became_sql,
    sum(reached) filter (where stage = 'opportunity')::bigint as became_opportunity,
    sum(reached) filter (where stage = 'won')::bigint as became_won,

    -- booleans
    bool_and(is_mature) as is_mature,

    -- dates
    cohort_month
from {{ ref('fct_funnel_cohorts') }}
where age_days = (select max(every_age.age_days) from {{ ref('fct_funnel_cohorts') }} as every_age)
group by cohort_month, channel, region
