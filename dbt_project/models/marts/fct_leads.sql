{{
    config(
        unique_key=['lead_key'],
        scope_column='person_key',
        track=['person_key', 'created_date', 'mql_date', 'sal_date', 'sql_date'],
        indexes=[
            {'columns': ['person_key']},
            {'columns': ['created_date']},
            {'columns': ['mql_date']},
            {'columns': ['sal_date']},
            {'columns': ['sql_date']},
            {'columns': ['is_sla_pending']},
            {'columns': ['account_key']},
        ],
    )
}}

{% call scope() %}
select person_key from {{ changes('int_person_records') }}
union all
select person_key from {{ changes('int_touches') }}
union all
select person_key from {{ changes('int_person_events') }}
union all
select person_key from {{ changes('int_opportunities') }}
union all
select person_key from {{ changes('dim_people') }}
union all
select records.person_key
from {{ ref('stg_salesforce__tasks') }} as tasks
inner join {{ ref('int_person_records') }} as records
    on records.record_id = tasks.who_id
    and records.connection_id = tasks.connection_id
    and records.source_system = 'salesforce'
where {{ is_loaded_since('tasks.load_id') }}
union all
select records.person_key
from {{ ref('stg_salesforce__events') }} as meetings
inner join {{ ref('int_person_records') }} as records
    on records.record_id = meetings.who_id
    and records.connection_id = meetings.connection_id
    and records.source_system = 'salesforce'
where {{ is_loaded_since('meetings.load_id') }}
union all
select records.person_key
from {{ changes('int_engagement_contacts') }} as engagements
inner join {{ ref('int_person_records') }} as records
    on records.record_id = engagements.contact_id
    and records.connection_id = engagements.connection_id
    and records.source_system = 'hubspot'
union all
select records.person_key
from {{ ref('stg_files__leads') }} as leads
inner join {{ ref('int_person_records') }} as records
    on records.record_id = leads.lead_id
    and records.connection_id = leads.connection_id
    and records.source_system = leads.connection_id
where {{ is_loaded_since('leads.load_id') }}
union all
select person_key from {{ this }} where is_sla_pending
{% endcall %}

with

events as (
    select * from {{ ref('int_person_events') }}
    where {{ in_scope('person_key') }}
),

touches as (
    select * from {{ ref('int_touches') }}
    where {{ in_scope('person_key') }}
),

records as (
    select * from {{ ref('int_person_records') }}
    where not is_unseen and {{ in_scope('person_key') }}
),

people as (
    select * from {{ ref('dim_people') }}
    where {{ in_scope('person_key') }}
),

opportunities as (
    select * from {{ ref('int_opportunity_leads') }}
    where
        lead_key is not null
        and opportunity_type <> 'renewal'
        and {{ in_scope('person_key') }}
),

stages as (
    select
        lead_key,
        min(occurred_at) filter (where stage = 'mql') as mql_at,
        min(occurred_at) filter (where stage = 'sal') as sal_at,
        min(occurred_at) filter (where stage = 'sql') as sql_at,
        min(occurred_at) filter (where stage = 'disqualified') as disqualified_at,
        min(occurred_at) filter (where stage = 'recycled') as recycled_at,
        -- Endings that a file states for the lead itself; the endings of deals belong to the deals.
        min(occurred_at) filter (where stage = 'won' and ends_cycle and event_id not like 'opportunity:%') as won_at,
        min(occurred_at) filter (where stage = 'lost' and ends_cycle and event_id not like 'opportunity:%') as lost_at,
        coalesce(bool_or(is_created_inferred) filter (where ends_cycle), false) as is_ending_inferred,
        min(occurred_at) filter (where ends_cycle) as ended_at,
        min(stage) filter (where ends_cycle) as ended_by
    from events
    where lead_key is not null
    group by lead_key
),

deals as (
    select
        lead_key,
        min(created_at) as opportunity_at,
        min(closed_at) filter (where is_won) as won_at,
        min(closed_at) filter (where is_lost) as lost_at
    from opportunities
    group by lead_key
),

cycles as (
    select
        openers.lead_key,
        openers.person_key,
        openers.cycle_no,
        openers.touch_id,
        openers.connection_id,
        openers.record_id,
        openers.source_system,
        openers.is_created_inferred,
        openers.occurred_at as created_at,
        lead(openers.occurred_at) over (
            partition by openers.person_key order by openers.cycle_no
        ) as next_created_at
    from events as openers
    where openers.starts_cycle
),

-- Sales activities for a person while the cycle was open.
responses as (
    select
        cycles.lead_key,
        min(activities.occurred_at) as responded_at
    from cycles
    inner join records on cycles.person_key = records.person_key
    inner join {{ ref('int_sales_activities_unioned') }} as activities
        on
            records.source_system = activities.source_system
            and records.connection_id = activities.connection_id
            and records.record_id = activities.record_id
    left join stages on cycles.lead_key = stages.lead_key
    where
        activities.occurred_at >= cycles.created_at
        and (activities.occurred_at < stages.ended_at or stages.ended_at is null)
    group by cycles.lead_key
),

-- The lead record of a cycle, of Salesforce or a file: the first one entered during it, else the latest one before.
crm_leads as (
    select distinct on (cycles.lead_key)
        cycles.lead_key,
        records.connection_id,
        records.record_id,
        records.lead_source,
        filed.status,
        -- The text after the path may contain personal addresses.
        split_part(split_part(filed.landing_page, '?', 1), '#', 1) as landing_page
    from cycles
    inner join records
        on
            cycles.person_key = records.person_key
            and records.record_type = 'lead'
            and (cycles.next_created_at > records.created_at or cycles.next_created_at is null)
    left join {{ ref('stg_files__leads') }} as filed
        on
            records.source_system = filed.connection_id
            and records.connection_id = filed.connection_id
            and records.record_id = filed.lead_id
    order by
        cycles.lead_key,
        records.created_at >= cycles.created_at desc,
        case when records.created_at >= cycles.created_at then records.created_at end asc nulls last,
        records.created_at desc,
        records.record_key
),

-- If a person has no Salesforce lead, the oldest record that names a source and an owner is used.
sources as (
    select
        person_key,
        (array_remove(array_agg(lead_source order by source_system desc, created_at, record_key), null))[1] as lead_source
    from records
    group by person_key
),

owners as (
    select distinct on (records.person_key)
        records.person_key,
        reps.rep_key
    from records
    inner join {{ ref('int_sales_rep_records') }} as reps
        on
            records.source_system = reps.source_system
            and records.connection_id = reps.connection_id
            and records.owner_id = reps.record_id
    order by
        records.person_key,
        case
            when records.source_system = 'salesforce' and records.record_type = 'lead' then 1
            when records.source_system = 'salesforce' then 2
            else 3
        end,
        records.created_at desc,
        records.record_id
),

described as (
    select
        cycles.*,
        coalesce(crm_leads.record_id, cycles.record_id) as lead_id,
        coalesce(crm_leads.connection_id, cycles.connection_id) as lead_connection_id,
        case when crm_leads.lead_key is not null then 'lead' else 'contact' end as record_type,
        coalesce(crm_leads.lead_source, sources.lead_source) as lead_source,
        crm_leads.status,
        crm_leads.landing_page,
        touches.channel as touch_channel,
        coalesce(touches.campaign_key, '(no campaign)') as campaign_key,
        owners.rep_key
    from cycles
    left join touches on cycles.touch_id = touches.touch_id
    left join crm_leads on cycles.lead_key = crm_leads.lead_key
    left join sources on cycles.person_key = sources.person_key
    left join owners on cycles.person_key = owners.person_key
),

source_channels as (
    select
        written.lead_source,
        matched.channel
    from (
        select distinct lead_source from described
        where touch_channel is null and lead_source is not null
    ) as written
    cross join lateral (
        select rules.channel
        from {{ ref('channel_rules') }} as rules
        where
            rules.field in ('lead_source', 'analytics_source')
            and lower(written.lead_source) ~ rules.value_pattern
        order by rules.priority
        limit 1
    ) as matched
),

staged as (
    select
        described.*,
        coalesce(described.touch_channel, source_channels.channel, 'Unknown') as channel,
        stages.mql_at,
        stages.sal_at,
        stages.sql_at,
        deals.opportunity_at,
        coalesce(deals.won_at, stages.won_at) as won_at,
        coalesce(deals.lost_at, stages.lost_at) as lost_at,
        coalesce(stages.is_ending_inferred, false) as is_ending_inferred,
        stages.disqualified_at,
        stages.recycled_at,
        -- A deal may be closed before its lead came; the cycle then ends when it begins.
        case when stages.ended_at is not null then greatest(stages.ended_at, described.created_at) end as ended_at,
        least(stages.sal_at, responses.responded_at) as first_response_at,
        coalesce(least(stages.sal_at, responses.responded_at), stages.ended_at, {{ as_of() }}) as stopped_at,
        coalesce(stages.ended_by, 'open') as outcome
    from described
    left join source_channels on described.lead_source = source_channels.lead_source
    left join stages on described.lead_key = stages.lead_key
    left join deals on described.lead_key = deals.lead_key
    left join responses on described.lead_key = responses.lead_key
),

regions as (
    select distinct region from people
),

-- Rules of a region: its own hours and service levels, else those of all regions.
calendars as (
    select distinct on (regions.region)
        regions.region,
        hours.region as calendar_region,
        hours.time_zone
    from regions
    inner join {{ ref('business_hours') }} as hours on hours.region in (regions.region, '(default)')
    order by regions.region, hours.region = '(default)'
),

promises as (
    select distinct on (regions.region)
        regions.region,
        rules.sla_minutes
    from regions
    inner join {{ ref('sla_rules') }} as rules on rules.team = 'sales' and rules.region in (regions.region, '(default)')
    order by regions.region, rules.region = '(default)'
),

-- Sales answers within the hours of the lead's region; the end of the lead stops the clock like an answer.
agreed as (
    select
        staged.lead_key,
        promises.sla_minutes * 60 as seconds_promised,
        greatest(
            {{ business_seconds('last_days', 'staged.stopped_at') }} - {{ business_seconds('first_days', 'staged.mql_at') }}, 0
        ) as seconds_waited
    from staged
    inner join people on staged.person_key = people.person_key
    inner join calendars on people.region = calendars.region
    left join promises on people.region = promises.region
    inner join {{ ref('int_business_days') }} as first_days
        on
            calendars.calendar_region = first_days.region
            and first_days.date_day = {{ local_date('staged.mql_at', 'calendars.time_zone') }}
    inner join {{ ref('int_business_days') }} as last_days
        on
            calendars.calendar_region = last_days.region
            and last_days.date_day = {{ local_date('staged.stopped_at', 'calendars.time_zone') }}
    where staged.mql_at is not null
),

final as (
    select
        staged.lead_key,
        staged.lead_id,
        staged.lead_connection_id as connection_id,
        staged.person_key,
        people.account_key,
        staged.campaign_key,
        staged.rep_key,
        staged.lead_source,
        staged.channel,
        channels.owner_team,
        people.region,
        staged.outcome,
        staged.status,
        staged.landing_page,
        staged.source_system,
        staged.record_type,
        staged.cycle_no,
        case
            when staged.first_response_at is not null then floor(agreed.seconds_waited / 60)::integer
        end as response_business_minutes,
        ({{ reporting_date('staged.won_at') }} - {{ reporting_date('staged.created_at') }})::integer as days_to_won,
        staged.is_created_inferred,
        staged.is_ending_inferred,
        case
            when agreed.seconds_waited > agreed.seconds_promised then true
            when agreed.seconds_promised is not null and (staged.first_response_at is not null or staged.ended_at is not null)
                then false
        end as is_sla_breached,
        coalesce(
            agreed.seconds_waited <= agreed.seconds_promised
            and staged.first_response_at is null
            and staged.ended_at is null,
            false
        ) as is_sla_pending,
        coalesce(
            {{
                comes_before(
                    'least(staged.mql_at, staged.sal_at, staged.sql_at, staged.disqualified_at, staged.recycled_at)',
                    'staged.created_at'
                )
            }}
            or {{ comes_before('staged.sal_at', 'staged.mql_at') }}
            or {{ comes_before('staged.sql_at', 'greatest(staged.mql_at, staged.sal_at)') }}
            or {{ comes_before('staged.opportunity_at', 'greatest(staged.mql_at, staged.sal_at, staged.sql_at)') }}
            or {{ reporting_date('staged.opportunity_at') }} < {{ reporting_date('staged.created_at') }}
            or {{ reporting_date('least(staged.won_at, staged.lost_at)') }}
            < {{ reporting_date('coalesce(staged.opportunity_at, staged.created_at)') }},
            false
        ) as has_sequence_anomaly,
        staged.created_at,
        staged.mql_at,
        staged.sal_at,
        staged.sql_at,
        staged.opportunity_at,
        staged.won_at,
        staged.lost_at,
        staged.disqualified_at,
        staged.recycled_at,
        staged.ended_at,
        staged.first_response_at,
        {{ reporting_date('staged.created_at') }} as created_date,
        {{ reporting_date('staged.mql_at') }} as mql_date,
        {{ reporting_date('staged.sal_at') }} as sal_date,
        {{ reporting_date('staged.sql_at') }} as sql_date
    from staged
    inner join people on staged.person_key = people.person_key
    left join agreed on staged.lead_key = agreed.lead_key
    left join {{ ref('dim_channels') }} as channels on staged.channel = channels.channel
)

select * from final
