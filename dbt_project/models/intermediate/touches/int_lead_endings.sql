{{
    config(
        unique_key=['lead_key', 'ending'],
        scope_column='person_key',
        track=['person_key', 'ended_month'],
        indexes=[{'columns': ['person_key']}, {'columns': ['ended_month']}],
    )
}}

{% call scope() %}
select person_key from {{ changes('fct_leads') }}
union all
select person_key from {{ changes('fct_touchpoints') }}
union all
select person_key from {{ changes('fct_orders') }}
{% endcall %}

with

leads as (
    select
        *,
        least(disqualified_at, recycled_at) as given_up_at
    from {{ ref('fct_leads') }}
    where {{ in_scope('person_key') }}
),

touchpoints as (
    select * from {{ ref('fct_touchpoints') }}
    where {{ in_scope('person_key') }}
),

orders as (
    select
        person_key,
        ordered_at
    from {{ ref('fct_orders') }}
    where is_revenue and {{ in_scope('person_key') }}
),

pauses as (
    select
        lead_key,
        touched_at,
        touched_at + interval '{{ var("attribution_silence_days") }} days' as silent_at,
        lead(touched_at) over (partition by lead_key order by touched_at, source_system, touch_id) as next_touched_at
    from touchpoints
    where lead_key is not null
),

-- The first silence of a cycle: later activity of the person does not change it, so past months stay as they were.
silences as (
    select distinct on (leads.lead_key)
        leads.lead_key,
        leads.person_key,
        leads.created_at,
        'silent' as ending,
        pauses.touched_at as last_touched_at,
        pauses.silent_at as ended_at
    from leads
    inner join pauses on leads.lead_key = pauses.lead_key
    where
        (pauses.next_touched_at is null or pauses.next_touched_at >= pauses.silent_at)
        and (leads.opportunity_at is null or leads.opportunity_at >= pauses.silent_at)
        and (leads.given_up_at is null or leads.given_up_at >= pauses.silent_at)
    order by leads.lead_key, pauses.silent_at
),

endings as (
    select * from silences

    union all

    select
        leads.lead_key,
        leads.person_key,
        leads.created_at,
        'given up' as ending,
        leads.given_up_at as last_touched_at,
        leads.given_up_at as ended_at
    from leads
    left join silences on leads.lead_key = silences.lead_key
    where
        leads.given_up_at is not null
        and (leads.opportunity_at is null or leads.opportunity_at >= leads.given_up_at)
        and silences.lead_key is null

    union all

    select
        lead_key,
        person_key,
        created_at,
        'lost' as ending,
        lost_at as last_touched_at,
        lost_at as ended_at
    from leads
    where lost_at is not null and won_at is null
),

steps as (
    select
        endings.lead_key,
        endings.ending,
        touchpoints.channel,
        row_number() over journey as step_no,
        lag(touchpoints.channel) over journey as previous_channel
    from endings
    inner join touchpoints
        on
            endings.person_key = touchpoints.person_key
            and endings.last_touched_at >= touchpoints.touched_at
            and endings.ended_at > touchpoints.touched_at
            and endings.last_touched_at - interval '{{ var("attribution_window_days") }} days' <= touchpoints.touched_at
    window journey as (
        partition by endings.lead_key, endings.ending
        order by touchpoints.touched_at, touchpoints.source_system, touchpoints.touch_id
    )
),

-- Consecutive touches of the same channel do not change a removal effect.
journeys as (
    select
        lead_key,
        ending,
        array_agg(channel order by step_no) as channels
    from steps
    where channel is distinct from previous_channel
    group by lead_key, ending
),

ordered as (
    select distinct
        endings.lead_key,
        endings.ending
    from endings
    inner join orders
        on
            endings.person_key = orders.person_key
            and endings.created_at <= orders.ordered_at
            and endings.ended_at > orders.ordered_at
),

final as (
    select
        endings.lead_key,
        endings.ending,
        endings.person_key,
        journeys.channels,
        endings.ending <> 'lost' as is_without_opportunity,
        endings.ending <> 'lost' and ordered.lead_key is null as is_without_order,
        endings.ended_at,
        date_trunc('month', {{ reporting_date('endings.ended_at') }}::timestamp)::date as ended_month
    from endings
    inner join journeys on endings.lead_key = journeys.lead_key and endings.ending = journeys.ending
    left join ordered on endings.lead_key = ordered.lead_key and endings.ending = ordered.ending
)

select * from final
