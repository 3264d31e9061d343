-- Each count and amount of fct_funnel_daily equals that of fct_leads and fct_opportunities for the day.

with

funnel as (
    select
        date_day,
        sum(leads) as leads,
        sum(mqls) as mqls,
        sum(sals) as sals,
        sum(sqls) as sqls,
        sum(opportunities) as opportunities,
        sum(pipeline_amount) as pipeline_amount,
        sum(won) as won,
        sum(won_amount) as won_amount,
        sum(lost) as lost
    from {{ ref('fct_funnel_daily') }}
    where {{ is_touched_day('date_day') }}
    group by date_day
),

opportunities as not materialized (
    select * from {{ ref('fct_opportunities') }}
    where opportunity_type <> 'renewal'
),

entities as (
    select
        created_date as date_day,
        'leads' as measure,
        1::numeric as value
    from {{ ref('fct_leads') }}
    where {{ is_touched_day('created_date') }}
    union all
    select
        mql_date as date_day,
        'mqls' as measure,
        1::numeric as value
    from {{ ref('fct_leads') }}
    where mql_date is not null and {{ is_touched_day('mql_date') }}
    union all
    select
        sal_date as date_day,
        'sals' as measure,
        1::numeric as value
    from {{ ref('fct_leads') }}
    where sal_date is not null and {{ is_touched_day('sal_date') }}
    union all
    select
        sql_date as date_day,
        'sqls' as measure,
        1::numeric as value
    from {{ ref('fct_leads') }}
    where sql_date is not null and {{ is_touched_day('sql_date') }}
    union all
    select
        created_date as date_day,
        'opportunities' as measure,
        1::numeric as value
    from opportunities
    where {{ is_touched_day('created_date') }}
    union all
    select
        created_date as date_day,
        'pipeline_amount' as measure,
        amount as value
    from opportunities
    where {{ is_touched_day('created_date') }}
    union all
    select
        closed_date as date_day,
        'won' as measure,
        1::numeric as value
    from opportunities
    where is_won and {{ is_touched_day('closed_date') }}
    union all
    select
        closed_date as date_day,
        'won_amount' as measure,
        amount as value
    from opportunities
    where is_won and {{ is_touched_day('closed_date') }}
    union all
    select
        closed_date as date_day,
        'lost' as measure,
        1::numeric as value
    from opportunities
    where is_lost and {{ is_touched_day('closed_date') }}
),

counted as (
    select
        date_day,
        measure,
        sum(value) as value
    from entities
    group by date_day, measure
),

shown as (
    select
        funnel.date_day,
        measures.measure,
        measures.value
    from funnel
    cross join lateral (
        values
        ('leads', funnel.leads),
        ('mqls', funnel.mqls),
        ('sals', funnel.sals),
        ('sqls', funnel.sqls),
        ('opportunities', funnel.opportunities),
        ('pipeline_amount', funnel.pipeline_amount),
        ('won', funnel.won),
        ('won_amount', funnel.won_amount),
        ('lost', funnel.lost)
    ) as measures (measure, value)
)

select
    coalesce(counted.date_day, shown.date_day) as date_day,
    coalesce(counted.measure, shown.measure) as measure,
    counted.value as counted,
    shown.value as shown
from counted
full outer join shown on counted.date_day = shown.date_day and counted.measure = shown.measure
where coalesce(counted.value, 0) <> coalesce(shown.value, 0)
