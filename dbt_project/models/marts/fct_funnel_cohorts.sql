{{
    config(
        unique_key=['cohort_month', 'channel', 'region', 'stage', 'age_days'],
        scope_column='cohort_month',
        indexes=[{'columns': ['is_mature', 'cohort_month']}],
    )
}}

{% call scope() %}
select {{ month_of('created_date') }} from {{ changes('fct_leads') }}
union all
select cohort_month from {{ this }} where not is_mature
{% endcall %}

{#- The quantile of the normal distribution for an interval of 95 %. -#}
{%- set z = '1.959963984540054' %}

with

leads as (
    select
        channel,
        region,
        created_date,
        mql_date,
        sal_date,
        sql_date,
        {{ reporting_date('opportunity_at') }} as opportunity_date,
        {{ reporting_date('won_at') }} as won_date,
        {{ month_of('created_date') }} as cohort_month,
        -- The last complete day is the last one on which anything could be observed.
        greatest({{ reporting_date(as_of()) }} - 1 - created_date, 0) as observed_days
    from {{ ref('fct_leads') }}
    where {{ in_months_of_scope('created_date') }}
),

-- Lost and disqualified leads stay in the cohort: they were observed and did not reach the stage.
watched as (
    select
        leads.cohort_month,
        leads.channel,
        leads.region,
        steps.stage,
        leads.observed_days,
        case
            when steps.reached_date - leads.created_date <= leads.observed_days
                then greatest(steps.reached_date - leads.created_date, 0)
        end as reached_after
    from leads
    cross join lateral (
        values
        ('mql', leads.mql_date),
        ('sal', leads.sal_date),
        ('sql', leads.sql_date),
        ('opportunity', leads.opportunity_date),
        ('won', leads.won_date)
    ) as steps (stage, reached_date)
),

-- One row per day of age on which a lead reached the stage or its observation ended.
durations as (
    select
        cohort_month,
        channel,
        region,
        stage,
        coalesce(reached_after, observed_days) as duration,
        count(reached_after) as reached,
        count(*) as leads
    from watched
    group by cohort_month, channel, region, stage, coalesce(reached_after, observed_days)
),

at_risk as (
    select
        *,
        sum(leads) over (
            partition by cohort_month, channel, region, stage order by duration desc
        ) as n_at_risk
    from durations
),

ages as (
    select
        ages.age_days,
        {{ reporting_date(as_of()) }} - ages.age_days as mature_until
    from (values {% for age in var('cohort_ages_days') %}({{ age }}){{ ', ' if not loop.last }}{% endfor %}) as ages (age_days)
),

-- The factors of Kaplan and Meier and the terms of Greenwood, for months with an age that is not mature.
factors as (
    select
        cohort_month,
        channel,
        region,
        stage,
        duration,
        reached,
        leads,
        n_at_risk,
        case when is_young and reached > 0 and reached < n_at_risk then ln(1 - reached / n_at_risk) end as log_factor,
        case
            when is_young and reached > 0 and reached < n_at_risk then reached / (n_at_risk * (n_at_risk - reached))
        end as variance_term
    from (
        select
            at_risk.*,
            at_risk.cohort_month + interval '1 month' > (select min(ages.mature_until) from ages) as is_young
        from at_risk
    ) as dated
),

estimated as (
    select
        factors.cohort_month,
        factors.channel,
        factors.region,
        factors.stage,
        ages.age_days,
        factors.cohort_month + interval '1 month' <= ages.mature_until as is_mature,
        sum(factors.leads)::bigint as leads,
        coalesce(sum(factors.reached) filter (where factors.duration <= ages.age_days), 0)::bigint as reached,
        coalesce(sum(factors.leads) filter (where factors.duration >= ages.age_days), 0)::bigint as n_at_risk,
        bool_or(factors.duration <= ages.age_days and factors.reached = factors.n_at_risk) as is_exhausted,
        sum(factors.log_factor) filter (where factors.duration <= ages.age_days) as log_survival,
        sum(factors.variance_term) filter (where factors.duration <= ages.age_days) as variance
    from factors
    cross join ages
    group by
        factors.cohort_month, factors.channel, factors.region, factors.stage, ages.age_days, ages.mature_until
),

observations as (
    select
        leads.cohort_month,
        leads.channel,
        leads.region,
        ages.age_days,
        count(*) filter (where leads.observed_days >= ages.age_days) as n_observed
    from leads
    cross join ages
    group by leads.cohort_month, leads.channel, leads.region, ages.age_days
),

-- If all leads were observed for the whole age, Kaplan and Meier give x / n, and Greenwood x / (n (n - x)).
settled as (
    select
        estimated.*,
        observations.n_observed,
        case
            when estimated.is_mature then 1 - estimated.reached::numeric / estimated.leads
            when observations.n_observed = 0 and estimated.reached < estimated.leads then null
            when estimated.is_exhausted then 0
            else exp(coalesce(estimated.log_survival, 0))
        end as survival,
        case
            when estimated.is_mature
                then estimated.reached / nullif(estimated.leads::numeric * (estimated.leads - estimated.reached), 0)
            else estimated.variance
        end as greenwood
    from estimated
    inner join observations
        on
            estimated.cohort_month = observations.cohort_month
            and estimated.channel = observations.channel
            and estimated.region = observations.region
            and estimated.age_days = observations.age_days
),

-- The log-log interval is S ^ exp(± z · sqrt(greenwood) / |ln S|). It has no width if no lead or every lead reached the
-- stage; then Wilson's interval is used, for 0 or n of the leads that were observed long enough (FUN-10).
bounded as (
    select
        *,
        case when survival > 0 and survival < 1 then sqrt(greenwood) / abs(ln(survival)) end as log_error,
        coalesce(nullif(n_observed, 0), leads)::numeric as n_wilson
    from settled
),

final as (
    select
        channel,
        region,
        stage,
        age_days,
        leads,
        n_observed,
        reached,
        n_at_risk,
        trim_scale(round(1 - survival, 12)) as rate,
        trim_scale(round(
            case
                when survival = 1 then 0
                when survival = 0 then n_wilson / (n_wilson + {{ z }} * {{ z }})
                else 1 - exp(ln(survival) * exp(-{{ z }} * log_error))
            end, 12
        )) as rate_low,
        trim_scale(round(
            case
                when survival = 1 then {{ z }} * {{ z }} / (n_wilson + {{ z }} * {{ z }})
                when survival = 0 then 1
                else 1 - exp(ln(survival) * exp({{ z }} * log_error))
            end, 12
        )) as rate_high,
        is_mature,
        cohort_month
    from bounded
)

select * from final
