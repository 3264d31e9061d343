-- The entries of fct_funnel_steps are those of fct_funnel_daily, day by day, on the days that this build touched.

with

days as (
    {%- if is_full_build() %}
    select date_day from {{ ref('fct_funnel_daily') }}
    union
    select entered_date from {{ ref('fct_funnel_steps') }}
    {%- else %}
    select date_day from {{ changes('fct_funnel_daily') }}
    union
    select entered_date from {{ changes('fct_funnel_steps') }}
    {%- endif %}
),

expected as (
    select
        daily.date_day,
        steps.step,
        sum(steps.entities) as entities
    from {{ ref('fct_funnel_daily') }} as daily
    inner join days on daily.date_day = days.date_day
    cross join
        lateral (
            values
            ('lead', daily.leads),
            ('mql', daily.mqls),
            ('sal', daily.sals),
            ('sql', daily.sqls),
            ('opportunity', daily.opportunities),
            ('won', daily.won)
        ) as steps (step, entities)
    group by daily.date_day, steps.step
),

entries as (
    select
        steps.entered_date as date_day,
        steps.step,
        count(*) as entities
    from {{ ref('fct_funnel_steps') }} as steps
    inner join days on steps.entered_date = days.date_day
    group by steps.entered_date, steps.step
)

select
    date_day,
    step,
    expected.entities as expected,
    entries.entities as found
from expected
full outer join entries using (date_day, step)
where coalesce(expected.entities, 0) <> coalesce(entries.entities, 0)
