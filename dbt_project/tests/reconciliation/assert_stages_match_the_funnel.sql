-- The long form of the funnel equals the daily one, month by month.

with

daily as (
    select
        month_start,
        sum(leads) as lead,
        sum(mqls) as mql,
        sum(sals) as sal,
        sum(sqls) as sql,
        sum(opportunities) as opportunity,
        sum(won) as won
    from {{ ref('fct_funnel_daily') }}
    where {{ is_touched('month_start', ['fct_funnel_stages', 'fct_funnel_daily']) }}
    group by month_start
),

expected as (
    select
        daily.month_start,
        stages.stage,
        stages.entities
    from daily
    cross join lateral (
        values
        ('lead', daily.lead),
        ('mql', daily.mql),
        ('sal', daily.sal),
        ('sql', daily.sql),
        ('opportunity', daily.opportunity),
        ('won', daily.won)
    ) as stages (stage, entities)
),

stages as (
    select
        month_start,
        stage,
        sum(entities) as entities
    from {{ ref('fct_funnel_stages') }}
    where {{ is_touched('month_start', ['fct_funnel_stages', 'fct_funnel_daily']) }}
    group by month_start, stage
)

select
    coalesce(expected.month_start, stages.month_start) as month_start,
    coalesce(expected.stage, stages.stage) as stage,
    expected.entities as expected,
    stages.entities as found
from expected
full outer join stages on expected.month_start = stages.month_start and expected.stage = stages.stage
where coalesce(expected.entities, 0) <> coalesce(stages.entities, 0)
