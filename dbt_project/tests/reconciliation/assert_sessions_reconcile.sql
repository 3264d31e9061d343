-- Sessions landed equal sessions in every mart, by property and day, and by day in the funnel. If two connections read
-- the same property, the newest load counts.

with

landed as (
    select
        date_day,
        property_id,
        sum(sessions) as sessions
    from (
        select distinct on (
            date_day, property_id, channel_group, session_source, session_medium, campaign_id, campaign_name, country_id
        )
            date_day,
            property_id,
            sessions
        from {{ ref('stg_ga4__sessions') }}
        where {{ is_touched_day('date_day') }}
        order by
            date_day, property_id, channel_group, session_source, session_medium, campaign_id, campaign_name, country_id,
            load_id desc
    ) as read_sessions
    group by date_day, property_id
),

facts as (
    select
        date_day,
        property_id,
        sum(sessions) as sessions
    from {{ ref('fct_web_sessions_daily') }}
    where {{ is_touched_day('date_day') }}
    group by date_day, property_id
),

fact_days as (
    select
        date_day,
        sum(sessions) as sessions
    from facts
    group by date_day
),

funnel as (
    select
        date_day,
        sum(sessions) as sessions
    from {{ ref('fct_funnel_daily') }}
    where {{ is_touched_day('date_day') }}
    group by date_day
),

differences as (
    select
        'landed and fct_web_sessions_daily' as compared,
        coalesce(landed.date_day, facts.date_day) as date_day,
        coalesce(landed.property_id, facts.property_id) as property_id,
        landed.sessions as landed,
        facts.sessions as found
    from landed
    full outer join facts on landed.date_day = facts.date_day and landed.property_id = facts.property_id
    where landed.sessions is distinct from facts.sessions

    union all

    select
        'fct_web_sessions_daily and fct_funnel_daily' as compared,
        coalesce(fact_days.date_day, funnel.date_day) as date_day,
        null::text as property_id,
        fact_days.sessions as landed,
        funnel.sessions as found
    from fact_days
    full outer join funnel on fact_days.date_day = funnel.date_day
    where coalesce(fact_days.sessions, 0) <> coalesce(funnel.sessions, 0)
)

select * from differences
