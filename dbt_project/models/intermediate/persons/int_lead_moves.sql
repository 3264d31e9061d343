{{
    config(
        unique_key=['move_id'],
        scope_column='person_key',
        track=['person_key'],
        indexes=[{'columns': ['person_key']}, {'columns': ['lead_key', 'moved_at']}],
    )
}}

{% call scope() %}
select person_key from {{ changes('int_person_events') }}
union all
select person_key from {{ changes('int_person_records') }}
union all
select records.person_key
from {{ ref('stg_salesforce__lead_history') }} as history
inner join {{ ref('int_person_records') }} as records
    on records.record_id = history.lead_id
    and records.connection_id = history.connection_id
    and records.source_system = 'salesforce'
    and records.record_type = 'lead'
where {{ is_loaded_since('history.load_id') }}
{% endcall %}

with

events as (
    select * from {{ ref('int_person_events') }}
    where lead_key is not null and {{ in_scope('person_key') }}
),

records as (
    select * from {{ ref('int_person_records') }}
    where not is_unseen and record_type = 'lead' and {{ in_scope('person_key') }}
),

reps as (
    select * from {{ ref('int_sales_rep_records') }}
),

cycles as (
    select
        lead_key,
        person_key,
        min(occurred_at) as created_at,
        min(occurred_at) filter (where ends_cycle) as ended_at
    from events
    group by lead_key, person_key
),

-- The moves of each system by itself: a system that follows the other one late is not a step back (ALI-2).
steps as (
    select
        events.event_id,
        events.lead_key,
        events.person_key,
        events.source_system,
        events.stage,
        events.occurred_at,
        ranks.step_no,
        max(ranks.step_no) over said_before as furthest_no,
        lag(ranks.step_no) over said_so_far as previous_no
    from events
    inner join (values ('mql', 1), ('sal', 2), ('sql', 3)) as ranks (stage, step_no) on events.stage = ranks.stage
    where events.event_kind = 'stage'
    window
        said_so_far as (
            partition by events.lead_key, events.source_system, events.connection_id, events.record_id
            order by events.occurred_at, ranks.step_no, events.event_id
        ),
        said_before as (
            partition by events.lead_key, events.source_system, events.connection_id, events.record_id
            order by events.occurred_at, ranks.step_no, events.event_id
            rows between unbounded preceding and 1 preceding
        )
),

stage_moves as (
    select
        event_id as move_id,
        lead_key,
        person_key,
        null::text as from_rep_key,
        null::text as rep_key,
        case when step_no < previous_no then 'backward' else 'forward again' end as move_kind,
        stage,
        source_system,
        occurred_at as moved_at
    from steps
    where step_no <= furthest_no and step_no <> previous_no
),

-- Salesforce writes a change of owner twice, once with names and once with ids.
salesforce_owners as (
    select
        'salesforce:' || history.connection_id || ':owner:' || history.history_id as move_id,
        records.person_key,
        from_reps.rep_key as from_rep_key,
        to_reps.rep_key,
        'salesforce' as source_system,
        history.created_at as moved_at
    from records
    inner join {{ ref('stg_salesforce__lead_history') }} as history
        on records.connection_id = history.connection_id and records.record_id = history.lead_id
    left join reps as from_reps
        on
            from_reps.source_system = 'salesforce'
            and history.connection_id = from_reps.connection_id
            and history.old_value = from_reps.record_id
    left join reps as to_reps
        on
            to_reps.source_system = 'salesforce'
            and history.connection_id = to_reps.connection_id
            and history.new_value = to_reps.record_id
    where
        records.source_system = 'salesforce'
        and lower(history.field) = 'owner'
        and history.new_value ~ '^00[5G][0-9A-Za-z]{12}([0-9A-Za-z]{3})?$'
        and not coalesce(history.is_deleted, false)
),

file_owners as (
    select
        records.person_key,
        records.connection_id,
        events.row_key,
        events.owner,
        lag(events.owner) over (
            partition by records.connection_id, records.record_id
            order by coalesce(events.entered_at, {{ start_of_day('events.entered_on') }}), events.row_key
        ) as previous_owner,
        coalesce(events.entered_at, {{ start_of_day('events.entered_on') }}) as moved_at
    from records
    inner join {{ ref('stg_files__stage_events') }} as events
        on
            records.source_system = events.connection_id
            and records.connection_id = events.connection_id
            and records.record_id = events.lead_id
    where events.owner is not null
),

owner_moves as (
    select * from salesforce_owners

    union all

    select
        changed.connection_id || ':owner:' || changed.row_key as move_id,
        changed.person_key,
        min(reps.rep_key) filter (where changed.previous_owner in (reps.record_id, reps.rep_name)) as from_rep_key,
        min(reps.rep_key) filter (where changed.owner in (reps.record_id, reps.rep_name)) as rep_key,
        changed.connection_id as source_system,
        changed.moved_at
    from file_owners as changed
    left join reps on changed.connection_id = reps.connection_id and changed.connection_id = reps.source_system
    where changed.owner <> changed.previous_owner
    group by changed.connection_id, changed.row_key, changed.person_key, changed.moved_at
),

final as (
    select
        move_id,
        lead_key,
        person_key,
        from_rep_key,
        rep_key,
        move_kind,
        stage,
        source_system,
        moved_at
    from stage_moves

    union all

    -- Changes of owner outside of a cycle are ignored.
    select
        owner_moves.move_id,
        cycles.lead_key,
        owner_moves.person_key,
        owner_moves.from_rep_key,
        owner_moves.rep_key,
        'owner' as move_kind,
        null::text as stage,
        owner_moves.source_system,
        owner_moves.moved_at
    from owner_moves
    inner join cycles
        on
            owner_moves.person_key = cycles.person_key
            and owner_moves.moved_at >= cycles.created_at
            and (owner_moves.moved_at < cycles.ended_at or cycles.ended_at is null)
)

select * from final
