{{ config(unique_key=['period_start', 'period_grain', 'team', 'metric', 'region']) }}

with

stated as (
    select
        'files' as origin,
        connection_id,
        coalesce(lower(period_grain), 'month') as period_grain,
        coalesce(team, '(all)') as team,
        lower(metric) as metric,
        coalesce(region, '(all)') as region,
        currency_code,
        target,
        period_start
    from {{ ref('stg_files__targets') }}

    union all

    select
        'seed' as origin,
        'seed' as connection_id,
        period_grain,
        team,
        metric,
        region,
        currency_code,
        target,
        period_start
    from {{ ref('targets') }}
),

-- Invalid targets of files are left out; the checks of the delivery report them.
understood as (
    select
        *,
        case period_grain when 'month' then 1 when 'quarter' then 3 when 'year' then 12 end as n_months
    from stated
    where
        period_grain in ('month', 'quarter', 'year')
        and metric in (
            'spend', 'sessions', 'leads', 'mqls', 'sals', 'sqls', 'opportunities', 'pipeline_amount', 'won', 'won_amount',
            'orders', 'order_amount'
        )
),

chosen as (
    select distinct on (period_start, period_grain, team, metric, region) *
    from understood
    where period_start = date_trunc(period_grain, period_start::timestamp)::date
    order by period_start, period_grain, team, metric, region, origin, connection_id
),

final as (
    select
        period_grain,
        team,
        metric,
        region,
        origin,
        case
            when metric in ('spend', 'pipeline_amount', 'won_amount', 'order_amount')
                then coalesce(currency_code, {{ reporting_currency() }})
        end as currency_code,
        trim_scale(target) as target,
        period_start,
        (period_start + make_interval(months => n_months))::date as period_end
    from chosen
)

select * from final
