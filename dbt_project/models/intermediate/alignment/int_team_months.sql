{{
    config(
        unique_key=['month_start', 'team_kind', 'team', 'region'],
        scope_column='month_start',
    )
}}

{% call scope() %}
select month_start from {{ changes('fct_funnel_daily') }}
union all
select {{ month_of('days.date_day') }}
from {{ changes('fct_opportunities') }} as changes
cross join lateral unnest(array[changes.created_date, changes.closed_date]) as days (date_day)
union all
select month_start from {{ this }}
where exists (select 1 from {{ changes('dim_sales_reps') }})
{% endcall %}

with

funnel as (
    select * from {{ ref('fct_funnel_daily') }}
    where {{ in_scope('month_start') }}
),

-- Months as spans of days, so that a deal is found through the index on its day.
months as (
    select
        month_start,
        (month_start + interval '1 month')::date as month_end
    from {{ ref('dim_dates') }}
    where date_day = month_start and {{ in_scope('month_start') }}
),

opportunities as not materialized (
    select * from {{ ref('fct_opportunities') }}
    where opportunity_type <> 'renewal'
),

-- A team's sales in a region are those of its reps of that region, wherever the customers are.
reps as (
    select * from {{ ref('dim_sales_reps') }}
    where team is not null
),

deal_events as (
    select
        months.month_start,
        opportunities.rep_key,
        1 as opportunities,
        opportunities.amount as pipeline_amount,
        0 as won,
        null::numeric as won_amount
    from months
    inner join opportunities
        on months.month_start <= opportunities.created_date and months.month_end > opportunities.created_date

    union all

    select
        months.month_start,
        opportunities.rep_key,
        0 as opportunities,
        null::numeric as pipeline_amount,
        1 as won,
        opportunities.amount as won_amount
    from months
    inner join opportunities
        on months.month_start <= opportunities.closed_date and months.month_end > opportunities.closed_date
    where opportunities.is_won
),

by_owner as (
    select
        funnel.month_start,
        'owner' as team_kind,
        coalesce(channels.owner_team, 'unknown') as team,
        funnel.region,
        sum(funnel.spend) as spend,
        sum(funnel.sessions) as sessions,
        sum(funnel.leads) as leads,
        sum(funnel.mqls) as mqls,
        sum(funnel.sals) as sals,
        sum(funnel.sqls) as sqls,
        sum(funnel.opportunities) as opportunities,
        sum(funnel.pipeline_amount) as pipeline_amount,
        sum(funnel.won) as won,
        sum(funnel.won_amount) as won_amount,
        sum(funnel.orders) as orders,
        sum(funnel.order_amount) as order_amount
    from funnel
    left join {{ ref('dim_channels') }} as channels on funnel.channel = channels.channel
    group by funnel.month_start, coalesce(channels.owner_team, 'unknown'), funnel.region
),

by_reps as (
    select
        deal_events.month_start,
        'reps' as team_kind,
        reps.team,
        reps.region,
        null::numeric as spend,
        null::numeric as sessions,
        null::numeric as leads,
        null::numeric as mqls,
        null::numeric as sals,
        null::numeric as sqls,
        sum(deal_events.opportunities) as opportunities,
        coalesce(sum(deal_events.pipeline_amount), 0) as pipeline_amount,
        sum(deal_events.won) as won,
        coalesce(sum(deal_events.won_amount), 0) as won_amount,
        null::numeric as orders,
        null::numeric as order_amount
    from deal_events
    inner join reps on deal_events.rep_key = reps.rep_key
    group by deal_events.month_start, reps.team, reps.region
),

teams as (
    select * from by_owner
    union all
    select * from by_reps
),

final as (
    select
        team_kind,
        team,
        region,
        trim_scale(spend) as spend,
        sessions::numeric as sessions,
        leads::numeric as leads,
        mqls::numeric as mqls,
        sals::numeric as sals,
        sqls::numeric as sqls,
        opportunities::numeric as opportunities,
        trim_scale(pipeline_amount) as pipeline_amount,
        won::numeric as won,
        trim_scale(won_amount) as won_amount,
        orders::numeric as orders,
        trim_scale(order_amount) as order_amount,
        month_start
    from teams
)

select * from final
