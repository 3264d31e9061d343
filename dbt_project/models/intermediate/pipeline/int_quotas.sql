{{ config(unique_key=['quarter_start', 'team', 'region']) }}

with

stated as (
    select
        targets.team,
        targets.region,
        targets.period_grain,
        targets.period_start,
        targets.target * rates.rate as target,
        {{ fiscal_quarter_start('targets.period_start') }} as quarter_start
    from {{ ref('int_targets') }} as targets
    left join {{ ref('int_currency_rates_daily') }} as rates
        on
            targets.currency_code = rates.currency_code
            and least(targets.period_start, {{ last_day() }}) = rates.date_day
    where targets.metric = 'won_amount' and targets.period_grain in ('month', 'quarter')
),

-- Of a quarter, or the sum of its three months.
final as (
    select
        team,
        region,
        trim_scale(sum(target)) as quota,
        quarter_start
    from stated
    where period_grain = 'month' or period_start = quarter_start
    group by quarter_start, team, region
    having bool_or(period_grain = 'quarter') or count(distinct period_start) = 3
)

select * from final
