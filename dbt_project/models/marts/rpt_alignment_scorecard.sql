{{ config(unique_key=['period_start', 'period_grain', 'region', 'measure']) }}

with

shares as (
    select * from {{ ref('stg_statistics__revenue_shares') }}
),

close_rates as (
    select * from {{ ref('stg_statistics__close_rates') }}
),

frictions as (
    select * from {{ ref('stg_statistics__frictions') }}
),

parts as (
    select * from {{ ref('rpt_alignment_parts') }}
),

claims as (
    select * from {{ ref('quoted_claims') }}
),

floors as (
    select * from {{ ref('friction_weights') }}
),

-- 100 times the weighted geometric mean of each part divided by its baseline; null if a part with a weight lacks
-- either.
indices as (
    select
        parts.period_start,
        parts.period_grain,
        parts.region,
        100 * exp(
            sum(
                floors.weight
                * ln(greatest(parts.value, floors.floor) / greatest(parts.baseline_value, floors.floor))
            ) filter (where floors.weight > 0)
        ) as friction_index,
        string_agg(parts.part, ', ' order by parts.part_no) filter (where floors.weight > 0 and parts.baseline_value is null)
            as without_baseline
    from parts
    inner join floors on parts.part = floors.component
    where parts.measure = 'friction_index'
    group by parts.period_start, parts.period_grain, parts.region
),

measured as (
    select
        shares.period_start,
        shares.period_grain,
        shares.region,
        'marketing_revenue_share' as measure,
        shares.sourced_share as value,
        shares.sourced_low as value_low,
        shares.sourced_high as value_high,
        shares.won as n,
        null::integer as horizon_days,
        null::numeric as adjusted_value,
        parts.baseline_value,
        shares.sourced_share / parts.baseline_value - 1 as change_on_baseline,
        shares.is_sufficient,
        case
            when shares.is_sufficient and parts.baseline_value is null then 'no approved baseline to compare with'
            else shares.reason
        end as reason,
        false as is_reversed
    from shares
    left join parts
        on
            shares.period_start = parts.period_start
            and shares.period_grain = parts.period_grain
            and shares.region = parts.region
            and parts.part = 'sourced_share'

    union all

    select
        period_start,
        period_grain,
        region,
        'close_rate_lift' as measure,
        ratio - 1 as value,
        ratio_low - 1 as value_low,
        ratio_high - 1 as value_high,
        marketing_leads + other_leads as n,
        horizon_days,
        adjusted_ratio - 1 as adjusted_value,
        null::numeric as baseline_value,
        null::numeric as change_on_baseline,
        is_sufficient,
        reason,
        is_reversed
    from close_rates

    union all

    select
        frictions.period_start,
        frictions.period_grain,
        frictions.region,
        'friction_index' as measure,
        case when known.is_known then indices.friction_index end as value,
        case when known.is_known then indices.friction_index / frictions.index_spread end as value_low,
        case when known.is_known then indices.friction_index * frictions.index_spread end as value_high,
        frictions.mqls as n,
        null::integer as horizon_days,
        null::numeric as adjusted_value,
        100 as baseline_value,
        -- "x % less friction": 1.08 is 108 %.
        case when known.is_known then 100 / indices.friction_index - 1 end as change_on_baseline,
        known.is_known as is_sufficient,
        case
            when frictions.is_sufficient and indices.without_baseline is not null
                then 'no approved baseline of ' || indices.without_baseline
            else frictions.reason
        end as reason,
        false as is_reversed
    from frictions
    inner join indices
        on
            frictions.period_start = indices.period_start
            and frictions.period_grain = indices.period_grain
            and frictions.region = indices.region
    cross join
        lateral (
            select frictions.is_sufficient and indices.without_baseline is null as is_known
        ) as known
),

final as (
    select
        measured.period_grain,
        measured.region,
        measured.measure,
        measured.reason,
        claims.quoted_text,
        measured.n,
        measured.horizon_days,
        trim_scale(round(measured.value, 12)) as value,
        trim_scale(round(measured.value_low, 12)) as value_low,
        trim_scale(round(measured.value_high, 12)) as value_high,
        trim_scale(round(measured.adjusted_value, 12)) as adjusted_value,
        measured.baseline_value::numeric as baseline_value,
        trim_scale(round(measured.change_on_baseline, 12)) as change_on_baseline,
        claims.quoted_value,
        measured.is_sufficient,
        measured.is_reversed,
        measured.period_start
    from measured
    left join claims on measured.measure = claims.measure
)

select * from final
