{{
    config(
        unique_key=['month_start', 'channel', 'region', 'stage'],
        scope_column='month_start',
    )
}}

{% call scope() %}
select month_start from {{ changes('fct_funnel_daily') }}
{% endcall %}

with

daily as (
    select * from {{ ref('fct_funnel_daily') }}
    where {{ in_scope('month_start') }}
),

months as (
    select
        month_start,
        channel,
        region,
        sum(leads) as leads,
        sum(mqls) as mqls,
        sum(sals) as sals,
        sum(sqls) as sqls,
        sum(opportunities) as opportunities,
        sum(won) as won
    from daily
    group by month_start, channel, region
    having
        -- Without leads or without deals, that half of the funnel is null and the other half is still shown.
        coalesce(sum(leads), 0) + coalesce(sum(mqls), 0) + coalesce(sum(sals), 0) + coalesce(sum(sqls), 0)
        + coalesce(sum(opportunities), 0) + coalesce(sum(won), 0) > 0
),

final as (
    select
        months.channel,
        months.region,
        stages.stage,
        stages.stage_order,
        stages.entities::bigint as entities,
        months.month_start
    from months
    cross join lateral (
        values
        ('lead', 1, months.leads),
        ('mql', 2, months.mqls),
        ('sal', 3, months.sals),
        ('sql', 4, months.sqls),
        ('opportunity', 5, months.opportunities),
        ('won', 6, months.won)
    ) as stages (stage, stage_order, entities)
)

select * from final
