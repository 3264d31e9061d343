{{ config(unique_key=['period_start', 'period_grain', 'region', 'measure', 'part']) }}

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

attributed_by_month as (
    select * from {{ ref('int_attributed_revenue') }}
),

weights as (
    select * from {{ ref('friction_weights') }}
),

attributed as (
    select
        periods.period_start,
        periods.period_grain,
        regions.region,
        sum(months.marketing_amount) / nullif(sum(months.credited_amount), 0) as attributed_share
    from attributed_by_month as months
    cross join
        lateral (
            values
            ('month', months.month_start),
            ('quarter', date_trunc('quarter', months.month_start::timestamp)::date)
        ) as periods (period_grain, period_start)
    cross join lateral (values ('(all)'), (months.region)) as regions (region)
    group by periods.period_start, periods.period_grain, regions.region
),

share_parts as (
    select
        shares.period_start,
        shares.period_grain,
        shares.region,
        'marketing_revenue_share' as measure,
        parts.part,
        parts.part_no,
        parts.value,
        parts.value_low,
        parts.value_high,
        shares.won as n,
        null::numeric as weight,
        null::integer as horizon_days
    from shares
    left join attributed
        on
            shares.period_start = attributed.period_start
            and shares.period_grain = attributed.period_grain
            and shares.region = attributed.region
    cross join
        lateral (
            values
            (1, 'sourced_share', shares.sourced_share, shares.sourced_low, shares.sourced_high),
            (2, 'influenced_share', shares.influenced_share, shares.influenced_low, shares.influenced_high),
            (
                3,
                'attributed_share',
                case when shares.is_sufficient then trim_scale(round(attributed.attributed_share, 12)) end,
                null::numeric,
                null::numeric
            )
        ) as parts (part_no, part, value, value_low, value_high)
),

rate_parts as (
    select
        close_rates.period_start,
        close_rates.period_grain,
        close_rates.region,
        'close_rate_lift' as measure,
        parts.part,
        parts.part_no,
        parts.value,
        parts.value_low,
        parts.value_high,
        parts.n,
        null::numeric as weight,
        close_rates.horizon_days
    from close_rates
    cross join
        lateral (
            values
            (1, 'marketing_close_rate', close_rates.marketing_rate, null::numeric, null::numeric, close_rates.marketing_leads),
            (2, 'other_close_rate', close_rates.other_rate, null::numeric, null::numeric, close_rates.other_leads),
            (
                3,
                'close_rate_difference',
                close_rates.difference,
                close_rates.difference_low,
                close_rates.difference_high,
                close_rates.marketing_leads + close_rates.other_leads
            )
        ) as parts (part_no, part, value, value_low, value_high, n)
),

friction_parts as (
    select
        frictions.period_start,
        frictions.period_grain,
        frictions.region,
        'friction_index' as measure,
        parts.part,
        parts.part_no,
        parts.value,
        null::numeric as value_low,
        null::numeric as value_high,
        frictions.mqls as n,
        weights.weight,
        null::integer as horizon_days
    from frictions
    cross join
        lateral (
            values
            (1, 'unanswered_rate', frictions.unanswered_rate),
            (2, 'sent_back_rate', frictions.sent_back_rate),
            (3, 'moves_per_lead', frictions.moves_per_lead),
            (4, 'wait_share', frictions.wait_share),
            (5, 'disagreement_rate', frictions.disagreement_rate)
        ) as parts (part_no, part, value)
    left join weights on parts.part = weights.component
),

parts as (
    select * from share_parts
    union all
    select * from rate_parts
    union all
    select * from friction_parts
),

-- The region's own baseline, else the company's; the latest one valid at the start of the period; a file's before a
-- seed's.
compared as (
    select distinct on (parts.period_start, parts.period_grain, parts.region, parts.measure, parts.part)
        parts.*,
        baselines.baseline
    from parts
    left join {{ ref('int_alignment_baselines') }} as baselines
        on
            case parts.part when 'sourced_share' then 'marketing_revenue_share' else parts.part end = baselines.component
            and parts.period_start >= baselines.valid_from
            and baselines.region in (parts.region, '(all)')
    order by
        parts.period_start,
        parts.period_grain,
        parts.region,
        parts.measure,
        parts.part,
        baselines.region = '(all)',
        baselines.valid_from desc,
        baselines.origin,
        baselines.connection_id
),

final as (
    select
        period_grain,
        region,
        measure,
        part,
        part_no,
        n,
        horizon_days,
        value,
        value_low,
        value_high,
        weight,
        baseline as baseline_value,
        period_start
    from compared
)

select * from final
