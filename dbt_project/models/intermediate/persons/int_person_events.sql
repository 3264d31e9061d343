{{
    config(
        unique_key=['event_id'],
        scope_column='person_key',
        track=['person_key'],
        indexes=[{'columns': ['person_key', 'occurred_at']}],
    )
}}

{% call scope() %}
select person_key from {{ changes('int_person_records') }}
union all
select person_key from {{ changes('int_touches') }}
union all
select person_key from {{ changes('int_opportunities') }}
union all
select records.person_key
from {{ ref('stg_salesforce__lead_history') }} as history
inner join {{ ref('int_person_records') }} as records
    on records.record_id = history.lead_id
    and records.connection_id = history.connection_id
    and records.source_system = 'salesforce'
    and records.record_type = 'lead'
where {{ is_loaded_since('history.load_id') }}
union all
select records.person_key
from {{ ref('stg_files__stage_events') }} as events
inner join {{ ref('int_person_records') }} as records
    on records.record_id = events.lead_id
    and records.connection_id = events.connection_id
    and records.source_system = events.connection_id
    and records.record_type = 'lead'
where {{ is_loaded_since('events.load_id') }}
union all
select records.person_key
from {{ ref('stg_files__leads') }} as leads
inner join {{ ref('int_person_records') }} as records
    on records.record_id = leads.lead_id
    and records.connection_id = leads.connection_id
    and records.source_system = leads.connection_id
    and records.record_type = 'lead'
where {{ is_loaded_since('leads.load_id') }}
{% endcall %}

with

records as (
    select * from {{ ref('int_person_records') }}
    where not is_unseen and {{ in_scope('person_key') }}
),

touches as (
    select * from {{ ref('int_touches') }}
    where {{ in_scope('person_key') }}
),

opportunities as (
    select * from {{ ref('int_opportunities') }}
    where person_key is not null and {{ in_scope('person_key') }}
),

contacts as not materialized (
    select * from {{ ref('stg_hubspot__contacts') }}
),

lead_history as (
    select * from {{ ref('stg_salesforce__lead_history') }}
    where not coalesce(is_deleted, false)
),

stage_rules as (
    select * from {{ ref('stage_rules') }}
),

responses as (
    select
        touch_id as event_id,
        person_key,
        touch_id,
        source_system,
        connection_id,
        record_id,
        'touch' as event_kind,
        null::text as stage,
        null::text as reason,
        is_created_inferred,
        touched_at as occurred_at
    from touches
),

-- A lead entered for a known person is a response without a record of its own.
lead_creations as (
    select
        'salesforce:' || records.connection_id || ':created:' || records.record_id as event_id,
        records.person_key,
        null::text as touch_id,
        records.source_system,
        records.connection_id,
        records.record_id,
        'record_creation' as event_kind,
        null::text as stage,
        null::text as reason,
        records.is_created_inferred,
        records.created_at as occurred_at
    from records
    where
        records.source_system = 'salesforce'
        and records.record_type = 'lead'
        and not exists (
            select 1 from touches
            where touches.touch_id = 'salesforce:' || records.connection_id || ':lead:' || records.record_id
        )
),

contact_histories as (
    select
        records.person_key,
        records.connection_id,
        records.record_id,
        'lifecyclestage' as field,
        entries.entry ->> 'value' as value,
        (entries.entry ->> 'timestamp')::timestamptz as occurred_at
    from records
    inner join contacts
        on records.connection_id = contacts.connection_id and records.record_id = contacts.contact_id
    cross join lateral jsonb_array_elements(contacts.lifecycle_stage_history) as entries (entry)
    where records.source_system = 'hubspot'

    union all

    select
        records.person_key,
        records.connection_id,
        records.record_id,
        'hs_lead_status' as field,
        entries.entry ->> 'value' as value,
        (entries.entry ->> 'timestamp')::timestamptz as occurred_at
    from records
    inner join contacts
        on records.connection_id = contacts.connection_id and records.record_id = contacts.contact_id
    cross join lateral jsonb_array_elements(contacts.lead_status_history) as entries (entry)
    where records.source_system = 'hubspot'
),

-- Writing the same value again is not a change.
contact_changes as (
    select
        *,
        lag(value) over (partition by connection_id, record_id, field order by occurred_at) as previous_value
    from contact_histories
),

hubspot_stages as (
    select
        'hubspot:' || changes.connection_id || ':' || changes.field || ':' || changes.record_id || ':'
        || (extract(epoch from changes.occurred_at) * 1000)::bigint || ':' || stage_rules.stage as event_id,
        changes.person_key,
        null::text as touch_id,
        'hubspot' as source_system,
        changes.connection_id,
        changes.record_id,
        'stage' as event_kind,
        stage_rules.stage,
        null::text as reason,
        false as is_created_inferred,
        changes.occurred_at
    from contact_changes as changes
    inner join stage_rules
        on
            stage_rules.source_system = 'hubspot'
            and stage_rules.object = 'contact'
            and changes.field = stage_rules.field
            and lower(changes.value) = stage_rules.value
    where changes.value is distinct from changes.previous_value
),

salesforce_stages as (
    select
        'salesforce:' || lead_history.connection_id || ':history:' || lead_history.history_id as event_id,
        records.person_key,
        null::text as touch_id,
        'salesforce' as source_system,
        lead_history.connection_id,
        lead_history.lead_id as record_id,
        'stage' as event_kind,
        stage_rules.stage,
        null::text as reason,
        false as is_created_inferred,
        lead_history.created_at as occurred_at
    from records
    inner join lead_history
        on records.connection_id = lead_history.connection_id and records.record_id = lead_history.lead_id
    inner join stage_rules
        on
            stage_rules.source_system = 'salesforce'
            and stage_rules.object = 'lead'
            and lower(lead_history.field) = stage_rules.field
            and lower(lead_history.new_value) = stage_rules.value
    where records.source_system = 'salesforce' and records.record_type = 'lead'
),

file_stages as (
    select
        records.source_system || ':' || records.connection_id || ':stage:' || records.record_id || ':' || steps.stage
            as event_id,
        records.person_key,
        null::text as touch_id,
        records.source_system,
        records.connection_id,
        records.record_id,
        'stage' as event_kind,
        steps.stage,
        case when steps.stage = 'disqualified' then leads.disqualify_reason end as reason,
        false as is_created_inferred,
        steps.reached_at as occurred_at
    from records
    inner join {{ ref('stg_files__leads') }} as leads
        on
            records.source_system = leads.connection_id
            and records.connection_id = leads.connection_id
            and records.record_id = leads.lead_id
    cross join
        lateral (
            values
            ('mql', coalesce(leads.mql_at, {{ end_of_day('leads.mql_on') }})),
            ('sal', coalesce(leads.sal_at, {{ end_of_day('leads.sal_on') }})),
            ('sql', coalesce(leads.sql_at, {{ end_of_day('leads.sql_on') }})),
            ('disqualified', coalesce(leads.disqualified_at, {{ end_of_day('leads.disqualified_on') }}))
        ) as steps (stage, reached_at)
    where records.record_type = 'lead' and steps.reached_at is not null

    union all

    select
        records.source_system || ':' || records.connection_id || ':event:' || events.row_key as event_id,
        records.person_key,
        null::text as touch_id,
        records.source_system,
        records.connection_id,
        records.record_id,
        'stage' as event_kind,
        events.stage,
        events.reason,
        false as is_created_inferred,
        coalesce(events.entered_at, {{ end_of_day('events.entered_on') }}) as occurred_at
    from records
    inner join {{ ref('stg_files__stage_events') }} as events
        on
            records.source_system = events.connection_id
            and records.connection_id = events.connection_id
            and records.record_id = events.lead_id
    where
        records.record_type = 'lead'
        and (
            events.stage in ('mql', 'sal', 'sql', 'disqualified', 'recycled')
            -- If a lead has a deal, the deal decides when it was won or lost.
            or (
                events.stage in ('won', 'lost')
                and not exists (
                    select 1 from opportunities
                    where
                        opportunities.connection_id = records.connection_id
                        and opportunities.source_system = records.source_system
                        and opportunities.stated_lead_id = records.record_id
                )
            )
        )
),

-- An ending that a file states only by its status has the time at which the file was first loaded.
stated_endings as (
    select
        records.source_system || ':' || records.connection_id || ':status:' || records.record_id as event_id,
        records.person_key,
        null::text as touch_id,
        records.source_system,
        records.connection_id,
        records.record_id,
        'stage' as event_kind,
        leads.status as stage,
        case when leads.status = 'disqualified' then leads.disqualify_reason end as reason,
        true as is_created_inferred,
        {{ as_of_load('leads.first_seen_at') }} as occurred_at
    from records
    inner join {{ ref('stg_files__leads') }} as leads
        on
            records.source_system = leads.connection_id
            and records.connection_id = leads.connection_id
            and records.record_id = leads.lead_id
    where
        records.record_type = 'lead'
        and leads.status in ('won', 'lost', 'disqualified', 'recycled')
        and not exists (
            select 1 from file_stages
            where
                file_stages.connection_id = records.connection_id
                and file_stages.record_id = records.record_id
                and file_stages.stage = leads.status
        )
        and not exists (
            select 1 from opportunities
            where
                opportunities.connection_id = records.connection_id
                and opportunities.source_system = records.source_system
                and opportunities.stated_lead_id = records.record_id
        )
),

closings as (
    select
        'opportunity:' || opportunity_key as event_id,
        person_key,
        null::text as touch_id,
        source_system,
        connection_id,
        opportunity_id as record_id,
        'stage' as event_kind,
        case when is_won then 'won' else 'lost' end as stage,
        null::text as reason,
        false as is_created_inferred,
        closed_at as occurred_at
    from opportunities
    where closed_at is not null and opportunity_type <> 'renewal'
),

unioned as (
    select * from responses
    union all
    select * from lead_creations
    union all
    select distinct on (event_id) * from hubspot_stages
    union all
    select * from salesforce_stages
    union all
    select distinct on (event_id) * from file_stages
    union all
    select * from stated_endings
    union all
    select * from closings
),

classified as (
    select
        *,
        coalesce(stage in ('won', 'lost', 'disqualified', 'recycled'), false) as is_closer,
        case event_kind when 'touch' then 1 when 'record_creation' then 2 else 3 end as kind_order,
        -- Events dated before the person's first response belong to the cycle that this response opens.
        greatest(
            occurred_at, min(occurred_at) filter (where event_kind <> 'stage') over (partition by person_key)
        ) as ordered_at
    from unioned
),

-- Between two events a cycle is open exactly when the earlier one opened or continued it.
ordered as (
    select
        *,
        row_number() over (
            partition by person_key order by ordered_at, is_closer, kind_order, occurred_at, source_system, event_id
        ) as event_no,
        lag(is_closer, 1, true) over (
            partition by person_key order by ordered_at, is_closer, kind_order, occurred_at, source_system, event_id
        ) as was_closed
    from classified
),

numbered as (
    select
        *,
        not is_closer and was_closed as starts_cycle,
        is_closer and not was_closed as ends_cycle,
        sum((not is_closer and was_closed)::integer) over (
            partition by person_key order by event_no
        ) as cycle_no
    from ordered
),

final as (
    select
        event_id,
        person_key,
        -- A closer that finds no open cycle belongs to none.
        case
            when not is_closer or not was_closed then {{ surrogate_key(['person_key', 'cycle_no']) }}
        end as lead_key,
        touch_id,
        connection_id,
        record_id,
        source_system,
        event_kind,
        stage,
        reason,
        event_no::integer as event_no,
        cycle_no::integer as cycle_no,
        starts_cycle,
        ends_cycle,
        is_created_inferred,
        occurred_at
    from numbered
)

select * from final
