{{
    config(
        unique_key=['event_id'],
        scope_column='_subject_key',
        indexes=[{'columns': ['_subject_key']}, {'columns': ['lead_key']}],
    )
}}

{% call scope() %}
select person_key from {{ changes('fct_leads') }}
union all
select person_key from {{ changes('int_person_events') }}
union all
select person_key from {{ changes('int_lead_moves') }}
union all
select opportunity_key from {{ changes('fct_opportunities') }}
union all
select {{ surrogate_key(["'salesforce'", 'connection_id', 'opportunity_id']) }}
from {{ ref('stg_salesforce__opportunity_history') }}
where {{ is_loaded_since('load_id') }}
union all
select {{ surrogate_key(["'hubspot'", 'connection_id', 'deal_id']) }}
from {{ ref('stg_hubspot__deals') }}
where {{ is_loaded_since('load_id') }}
union all
select {{ surrogate_key(['connection_id', 'connection_id', 'opportunity_id']) }}
from {{ ref('stg_files__stage_events') }}
where opportunity_id is not null and {{ is_loaded_since('load_id') }}
{% endcall %}

with

leads as (
    select * from {{ ref('fct_leads') }}
    where {{ in_scope('person_key') }}
),

opportunities as (
    select * from {{ ref('fct_opportunities') }}
    where {{ in_scope('opportunity_key') }}
),

opportunity_history as (
    select * from {{ ref('stg_salesforce__opportunity_history') }}
    where not coalesce(is_deleted, false)
),

deals as (
    select * from {{ ref('stg_hubspot__deals') }}
),

vendor_ids as (
    select
        records.opportunity_key,
        records.connection_id
    from {{ ref('int_opportunities') }} as records
    where {{ in_scope('opportunity_key') }}
),

-- A lead passes through its stages in order. A skipped stage counts as reached with the next one.
lead_stages as (
    select
        leads.person_key,
        leads.lead_key,
        leads.rep_key,
        leads.region,
        leads.owner_team,
        leads.source_system,
        leads.has_sequence_anomaly,
        steps.stage,
        steps.step_no,
        coalesce(
            steps.reached_at,
            (
                select later.reached_at
                from (
                    values
                    (1, leads.mql_at), (2, leads.sal_at), (3, leads.sql_at),
                    (4, leads.opportunity_at), (5, least(leads.won_at, leads.lost_at))
                ) as later (step_no, reached_at)
                where later.step_no > steps.step_no and later.reached_at is not null
                order by later.step_no
                limit 1
            )
        ) as entered_at,
        steps.reached_at is null as is_inferred
    from leads
    cross join lateral (
        values
        (0, 'lead', leads.created_at),
        (1, 'mql', leads.mql_at),
        (2, 'sal', leads.sal_at),
        (3, 'sql', leads.sql_at),
        (4, 'opportunity', leads.opportunity_at)
    ) as steps (step_no, stage, reached_at)
),

lead_ends as (
    select
        leads.person_key,
        leads.lead_key,
        leads.rep_key,
        leads.region,
        leads.owner_team,
        leads.source_system,
        leads.has_sequence_anomaly,
        ends.stage,
        5 as step_no,
        ends.reached_at as entered_at,
        false as is_inferred
    from leads
    cross join
        lateral (
            values
            ('won', leads.won_at),
            ('lost', leads.lost_at),
            ('disqualified', leads.disqualified_at),
            ('recycled', leads.recycled_at)
        ) as ends (stage, reached_at)
    where ends.reached_at is not null
),

-- Events after the first way through the stages: steps back, and forward again.
lead_returns as (
    select
        leads.person_key,
        leads.lead_key,
        leads.rep_key,
        leads.region,
        leads.owner_team,
        moves.source_system,
        leads.has_sequence_anomaly,
        moves.stage,
        5 as step_no,
        moves.moved_at as entered_at,
        false as is_inferred,
        moves.move_id
    from leads
    inner join {{ ref('int_lead_moves') }} as moves on leads.lead_key = moves.lead_key and moves.move_kind <> 'owner'
),

reasons as (
    select
        lead_key,
        stage,
        occurred_at,
        min(reason) as reason
    from {{ ref('int_person_events') }}
    where reason is not null and {{ in_scope('person_key') }}
    group by lead_key, stage, occurred_at
),

reached as (
    select
        *,
        null::text as move_id
    from lead_stages
    where entered_at is not null
    union all
    select
        *,
        null::text as move_id
    from lead_ends
    union all
    select * from lead_returns
),

lead_changes as (
    select
        reached.lead_key || ':' || reached.stage || coalesce(':' || md5(reached.move_id), '') as event_id,
        reached.lead_key,
        null::text as opportunity_key,
        reached.person_key as _subject_key,
        -- The owner at that time: the last owner before, else the previous owner named by the first change.
        case when owners.is_known then owners.rep_key else reached.rep_key end as rep_key,
        reached.region,
        'lead' as subject,
        reached.stage,
        reached.step_no,
        reached.owner_team,
        reasons.reason,
        reached.source_system,
        reached.is_inferred,
        reached.has_sequence_anomaly,
        reached.entered_at
    from reached
    left join reasons
        on
            reached.lead_key = reasons.lead_key
            and reached.stage = reasons.stage
            and reached.entered_at = reasons.occurred_at
    left join
        lateral (
            select
                true as is_known,
                case when moves.moved_at <= reached.entered_at then moves.rep_key else moves.from_rep_key end as rep_key
            from {{ ref('int_lead_moves') }} as moves
            where moves.lead_key = reached.lead_key and moves.move_kind = 'owner'
            order by
                moves.moved_at <= reached.entered_at desc,
                case when moves.moved_at <= reached.entered_at then moves.moved_at end desc,
                moves.moved_at,
                moves.move_id
            limit 1
        ) as owners
        on true
),

salesforce_history as (
    select
        opportunities.opportunity_key,
        opportunities.lead_key,
        opportunities.rep_key,
        opportunities.region,
        opportunities.source_system,
        opportunities.has_sequence_anomaly,
        null::text as reason,
        history.history_id as entry_id,
        history.stage,
        history.created_at as entered_at
    from opportunities
    inner join vendor_ids on opportunities.opportunity_key = vendor_ids.opportunity_key
    inner join opportunity_history as history
        on vendor_ids.connection_id = history.connection_id and opportunities.opportunity_id = history.opportunity_id
    where opportunities.source_system = 'salesforce'
),

hubspot_history as (
    select
        opportunities.opportunity_key,
        opportunities.lead_key,
        opportunities.rep_key,
        opportunities.region,
        opportunities.source_system,
        opportunities.has_sequence_anomaly,
        case when opportunities.is_lost and entries.entry ->> 'value' = deals.stage then deals.lost_reason end as reason,
        (entries.entry ->> 'timestamp') || ':' || (entries.entry ->> 'value') as entry_id,
        coalesce(named.stage_name, entries.entry ->> 'value') as stage,
        (entries.entry ->> 'timestamp')::timestamptz as entered_at
    from opportunities
    inner join vendor_ids on opportunities.opportunity_key = vendor_ids.opportunity_key
    inner join deals
        on vendor_ids.connection_id = deals.connection_id and opportunities.opportunity_id = deals.deal_id
    cross join lateral jsonb_array_elements(deals.stage_history) as entries (entry)
    -- A deal may have come from another pipeline; ids of stages that users created belong to the portal.
    left join lateral (
        select stages.stage_name
        from {{ ref('int_pipeline_stages') }} as stages
        where stages.connection_id = deals.connection_id and stages.stage_id = entries.entry ->> 'value'
        order by stages.pipeline_id = deals.pipeline desc, stages.pipeline_id
        limit 1
    ) as named on true
    where opportunities.source_system = 'hubspot'
),

-- A deal's stages from a file; otherwise its creation and its close.
file_history as (
    select
        opportunities.opportunity_key,
        opportunities.lead_key,
        coalesce(owners.rep_key, opportunities.rep_key) as rep_key,
        opportunities.region,
        opportunities.source_system,
        opportunities.has_sequence_anomaly,
        events.reason,
        events.row_key as entry_id,
        events.stage,
        coalesce(events.entered_at, {{ start_of_day('events.entered_on') }}) as entered_at
    from opportunities
    inner join vendor_ids on opportunities.opportunity_key = vendor_ids.opportunity_key
    inner join {{ ref('stg_files__stage_events') }} as events
        on vendor_ids.connection_id = events.connection_id and opportunities.opportunity_id = events.opportunity_id
    left join
        lateral (
            select min(reps.rep_key) as rep_key
            from {{ ref('int_sales_rep_records') }} as reps
            where
                reps.source_system = events.connection_id
                and reps.connection_id = events.connection_id
                and events.owner in (reps.record_id, reps.rep_name)
        ) as owners
        on true
    where opportunities.source_system not in ('hubspot', 'salesforce')

    union all

    select
        opportunities.opportunity_key,
        opportunities.lead_key,
        opportunities.rep_key,
        opportunities.region,
        opportunities.source_system,
        opportunities.has_sequence_anomaly,
        null::text as reason,
        known.entry_id,
        known.stage,
        known.entered_at
    from opportunities
    inner join vendor_ids on opportunities.opportunity_key = vendor_ids.opportunity_key
    cross join
        lateral (
            values
            ('created', 'opportunity', opportunities.created_at),
            ('closed', case when opportunities.is_won then 'won' else 'lost' end, opportunities.closed_at)
        ) as known (entry_id, stage, entered_at)
    where
        opportunities.source_system not in ('hubspot', 'salesforce')
        and known.entered_at is not null
        and not exists (
            select 1
            from {{ ref('stg_files__stage_events') }} as events
            where
                events.connection_id = vendor_ids.connection_id
                and events.opportunity_id = opportunities.opportunity_id
        )
),

opportunity_entries as (
    select
        *,
        lag(stage) over (partition by opportunity_key order by entered_at, entry_id) as previous_stage
    from (
        select * from salesforce_history
        union all
        select * from hubspot_history
        union all
        select * from file_history
    ) as entries
),

opportunity_changes as (
    select
        opportunity_key || ':' || md5(entry_id) as event_id,
        lead_key,
        opportunity_key,
        opportunity_key as _subject_key,
        rep_key,
        region,
        'opportunity' as subject,
        stage,
        0 as step_no,
        null::text as owner_team,
        reason,
        source_system,
        false as is_inferred,
        has_sequence_anomaly,
        entered_at
    from opportunity_entries
    where stage is distinct from previous_stage
),

changes as (
    select * from lead_changes
    union all
    select * from opportunity_changes
),

sequenced as (
    select
        *,
        lag(stage) over (
            partition by subject, coalesce(opportunity_key, lead_key) order by entered_at, step_no, event_id
        ) as from_stage,
        lead(entered_at) over (
            partition by subject, coalesce(opportunity_key, lead_key) order by entered_at, step_no, event_id
        ) as exited_at
    from changes
),

final as (
    select
        event_id,
        lead_key,
        opportunity_key,
        _subject_key,
        rep_key,
        region,
        from_stage,
        stage as to_stage,
        case
            when subject = 'opportunity' then 'sales'
            -- Marketing works a lead until it hands it over as an MQL, unless sales found it itself.
            when stage = 'lead' and coalesce(owner_team, 'unknown') <> 'sales' then 'marketing'
            when stage = 'recycled' then 'marketing'
            else 'sales'
        end as holder_team,
        reason,
        source_system,
        is_inferred,
        has_sequence_anomaly,
        entered_at,
        exited_at
    from sequenced
)

select * from final
