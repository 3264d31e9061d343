{{ config(unique_key=['period_start', 'period_grain', 'team', 'metric', 'region']) }}
{%- set has_deals = is_configured('hubspot') or is_configured('salesforce') or is_configured('files.opportunities') %}
{%- set min_entered = var('conversion_min_entered') %}

with

stated as (
    select
        *,
        case
            when team = '(all)' then 'all'
            when lower(team) in ('marketing', 'sales', 'partner', 'unknown') then 'owner'
            when team in (select reps.team from {{ ref('dim_sales_reps') }} as reps) then 'reps'
        end as team_kind
    from {{ ref('int_targets') }}
),

targets as (
    select
        stated.*,
        case when stated.team_kind = 'reps' then 'reps' else 'owner' end as months_of,
        case when stated.team_kind = 'owner' then lower(stated.team) else stated.team end as months_of_team,
        case
            when stated.currency_code is null then stated.target
            else stated.target * rates.rate
        end as target_amount,
        least({{ last_day() }} + 1, stated.period_start) as measured_until
    from stated
    -- At the rate of the period's first day, or the last one before it.
    left join {{ ref('int_currency_rates_daily') }} as rates
        on
            stated.currency_code = rates.currency_code
            and least(stated.period_start, {{ last_day() }}) = rates.date_day
),

team_months as (
    select
        months.month_start,
        months.team_kind,
        months.team,
        months.region,
        measures.metric,
        measures.value
    from {{ ref('int_team_months') }} as months
    cross join lateral (
        values
        ('spend', months.spend),
        ('sessions', months.sessions),
        ('leads', months.leads),
        ('mqls', months.mqls),
        ('sals', months.sals),
        ('sqls', months.sqls),
        ('opportunities', months.opportunities),
        ('pipeline_amount', months.pipeline_amount),
        ('won', months.won),
        ('won_amount', months.won_amount),
        ('orders', months.orders),
        ('order_amount', months.order_amount)
    ) as measures (metric, value)
),

-- Whether a configured source has the metric: without one it is null, without activity 0.
reported as (
    select
        metric,
        bool_or(value is not null) as is_reported
    from team_months
    group by metric
),

actuals as (
    select
        targets.period_start,
        targets.period_grain,
        targets.team,
        targets.metric,
        targets.region,
        case
            when targets.period_start > {{ last_day() }} or targets.team_kind is null then null
            when
                targets.team_kind = 'reps'
                and (
                    targets.metric not in ('opportunities', 'pipeline_amount', 'won', 'won_amount')
                    or not {{ has_deals | lower }}
                ) then null
            when bool_or(reported.is_reported) then coalesce(sum(team_months.value), 0)
        end as actual
    from targets
    left join reported on targets.metric = reported.metric
    left join team_months
        on
            targets.metric = team_months.metric
            and targets.period_start <= team_months.month_start
            and targets.period_end > team_months.month_start
            and targets.region in ('(all)', team_months.region)
            and targets.months_of = team_months.team_kind
            and targets.months_of_team in ('(all)', team_months.team)
    group by
        targets.period_start,
        targets.period_grain,
        targets.team,
        targets.metric,
        targets.region,
        targets.team_kind
),

-- Weeks of one year whose leads have all reached the horizon by then.
measured as (
    select
        moments.measured_until,
        lags.from_stage,
        coalesce(lags.region, '(all)') as region,
        lags.lag_days,
        lags.entered,
        lags.amount,
        lags.won_amount
    from (select distinct measured_until from targets) as moments
    cross join lateral (
        select
            weeks.from_stage,
            weeks.region,
            weeks.lag_days,
            sum(weeks.entered) as entered,
            sum(weeks.amount) as amount,
            sum(weeks.won_amount) as won_amount
        from {{ ref('int_stage_lags') }} as weeks
        where
            weeks.cohort_week >= moments.measured_until - {{ var('conversion_window_days') }}
            and weeks.cohort_week + 7 + {{ var('conversion_horizon_days') }} <= moments.measured_until
        group by grouping sets ((weeks.from_stage, weeks.region, weeks.lag_days), (weeks.from_stage, weeks.lag_days))
    ) as lags
),

ranked as (
    select
        *,
        sum(entered) filter (where lag_days >= 0) over (
            partition by measured_until, region, from_stage order by lag_days
        ) as reached_by,
        sum(entered) filter (where lag_days >= 0) over (partition by measured_until, region, from_stage) as reached_at_all
    from measured
),

steps as (
    select
        measured_until,
        region,
        from_stage,
        sum(entered) as entered,
        max(reached_at_all) as reached,
        sum(amount) as amount,
        sum(won_amount) as won_amount,
        min(lag_days) filter (where lag_days >= 0 and 2 * reached_by >= reached_at_all) as lag_days
    from ranked
    group by measured_until, region, from_stage
    having sum(entered) >= {{ min_entered }} and max(reached_at_all) > 0
),

ladder as (
    select *
    from (
        values
        ('mqls', 1, 'lead', 'leads'),
        ('sals', 2, 'mql', 'mqls'),
        ('sqls', 3, 'sal', 'sals'),
        ('opportunities', 4, 'sql', 'sqls'),
        ('pipeline_amount', 4, 'sql', 'sqls'),
        ('won', 5, 'opportunity', 'opportunities'),
        ('won_amount', 5, 'opportunity', 'pipeline_amount')
    ) as steps_down (metric, step_no, from_stage, upstream_metric)
),

-- Every step down from a target's metric to MQLs: with the rate of its own region, or of all regions if that has too
-- few leads.
paths as (
    select
        targets.period_start,
        targets.period_grain,
        targets.team,
        targets.metric,
        targets.region,
        rungs.step_no,
        rungs.metric = ladder.metric as is_first,
        coalesce(own.entered, everywhere.entered) as entered,
        coalesce(own.reached, everywhere.reached) as reached,
        coalesce(own.lag_days, everywhere.lag_days) as lag_days,
        case
            when rungs.metric = 'won_amount' then coalesce(own.won_amount, everywhere.won_amount)
        end as won_amount,
        case when rungs.metric = 'won_amount' then coalesce(own.amount, everywhere.amount) end as amount,
        case
            when rungs.metric = 'pipeline_amount'
                then coalesce(deals.amount / deals.entered, all_deals.amount / all_deals.entered)
        end as mean_amount,
        own.entered is null as is_of_all_regions
    from targets
    inner join ladder on targets.metric = ladder.metric
    inner join ladder as rungs
        on
            ladder.metric = rungs.metric
            or (ladder.step_no > rungs.step_no and rungs.metric in ('mqls', 'sals', 'sqls', 'opportunities'))
    left join steps as own
        on
            targets.measured_until = own.measured_until
            and rungs.from_stage = own.from_stage
            and targets.region = own.region
    left join steps as everywhere
        on
            targets.measured_until = everywhere.measured_until
            and rungs.from_stage = everywhere.from_stage
            and everywhere.region = '(all)'
    left join steps as deals
        on
            targets.measured_until = deals.measured_until
            and targets.region = deals.region
            and deals.from_stage = 'opportunity'
    left join steps as all_deals
        on
            targets.measured_until = all_deals.measured_until
            and all_deals.region = '(all)'
            and all_deals.from_stage = 'opportunity'
),

yields as (
    select
        *,
        case
            when metric = 'won_amount' and is_first then won_amount / nullif(amount, 0)
            when metric = 'pipeline_amount' and is_first then reached * mean_amount / entered
            else reached / entered
        end as step_yield,
        -- The average final value of one opportunity: the step from amounts down to counts.
        case
            when metric = 'won_amount' and is_first then won_amount / entered
            when metric = 'pipeline_amount' and is_first then reached * mean_amount / entered
            else reached / entered
        end as unit_yield
    from paths
),

first_steps as (
    select * from yields
    where is_first
),

chains as (
    select
        period_start,
        period_grain,
        team,
        metric,
        region,
        max(unit_yield) filter (where step_no = 2) as from_mql,
        max(unit_yield) filter (where step_no = 3) as from_sal,
        max(unit_yield) filter (where step_no = 4) as from_sql,
        max(unit_yield) filter (where step_no = 5) as from_opportunity,
        max(step_no) as last_step,
        sum(lag_days) filter (where step_no >= 2) as lag_days,
        bool_and(unit_yield > 0) filter (where step_no >= 2) as is_measured
    from yields
    group by period_start, period_grain, team, metric, region
),

final as (
    select
        targets.period_grain,
        targets.team,
        targets.metric,
        targets.region,
        targets.origin,
        targets.currency_code,
        ladder.upstream_metric,
        case
            when ladder.metric is null then 'no stage comes before ' || targets.metric
            when coalesce(first_steps.step_yield, 0) = 0
                then
                    'fewer than {{ min_entered }} of the stage before have had {{ var("conversion_horizon_days") }} days '
                    || 'by ' || targets.measured_until || ', or none of them went on'
            when first_steps.is_of_all_regions and targets.region <> '(all)' then 'measured over all regions'
        end as upstream_reason,
        case
            when targets.team_kind is null then 'team is neither a team of reps nor marketing, sales, partner or (all)'
            when targets.period_start > {{ last_day() }} then 'the period has not begun'
            when actuals.actual is null then 'nobody reports ' || targets.metric || ' of this team'
        end as actual_reason,
        trim_scale(targets.target_amount) as target,
        case when targets.currency_code is not null then targets.target end as target_local,
        trim_scale(actuals.actual) as actual,
        trim_scale(round(actuals.actual / nullif(targets.target_amount, 0), 12)) as attainment_rate,
        trim_scale(round(targets.target_amount / nullif(first_steps.step_yield, 0), 6)) as required_from_upstream,
        trim_scale(round(first_steps.step_yield, 12)) as upstream_yield,
        case when first_steps.step_yield > 0 then first_steps.entered::bigint end as upstream_entered,
        case when first_steps.step_yield > 0 then first_steps.lag_days end as upstream_lag_days,
        case
            when chains.is_measured and chains.last_step >= 2
                then
                    trim_scale(
                        round(
                            targets.target_amount / (
                                chains.from_mql * coalesce(chains.from_sal, 1) * coalesce(chains.from_sql, 1)
                                * coalesce(chains.from_opportunity, 1)
                            ),
                            6
                        )
                    )
        end as required_mqls,
        case when chains.is_measured and chains.last_step >= 2 then chains.lag_days::integer end as mql_lag_days,
        targets.period_start,
        targets.period_end,
        case when first_steps.step_yield > 0 then targets.period_start - first_steps.lag_days end as upstream_from,
        case when first_steps.step_yield > 0 then targets.period_end - first_steps.lag_days end as upstream_to,
        case when chains.is_measured and chains.last_step >= 2 then (targets.period_start - chains.lag_days::integer) end
            as mqls_from,
        case when chains.is_measured and chains.last_step >= 2 then (targets.period_end - chains.lag_days::integer) end
            as mqls_to
    from targets
    inner join actuals
        on
            targets.period_start = actuals.period_start
            and targets.period_grain = actuals.period_grain
            and targets.team = actuals.team
            and targets.metric = actuals.metric
            and targets.region = actuals.region
    left join ladder on targets.metric = ladder.metric
    left join first_steps
        on
            targets.period_start = first_steps.period_start
            and targets.period_grain = first_steps.period_grain
            and targets.team = first_steps.team
            and targets.metric = first_steps.metric
            and targets.region = first_steps.region
    left join chains
        on
            targets.period_start = chains.period_start
            and targets.period_grain = chains.period_grain
            and targets.team = chains.team
            and targets.metric = chains.metric
            and targets.region = chains.region
)

select * from final
