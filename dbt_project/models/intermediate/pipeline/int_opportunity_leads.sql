{{ config(materialized='view') }}

-- No CTEs in this view, so that a join with it can use the indexes of the tables below it.
select
    opportunities.opportunity_key,
    coalesce(stated.lead_key, cycles.lead_key) as lead_key,
    opportunities.person_key,
    opportunities.opportunity_type,
    opportunities.is_won,
    opportunities.is_lost,
    opportunities.created_at,
    opportunities.closed_at
from {{ ref('int_opportunities') }} as opportunities
left join lateral (
    select cycle_starts.lead_key
    from {{ ref('int_person_events') }} as cycle_starts
    where
        cycle_starts.starts_cycle
        and cycle_starts.person_key = opportunities.person_key
        and cycle_starts.occurred_at <= opportunities.created_at
    order by cycle_starts.occurred_at desc, cycle_starts.cycle_no desc
    limit 1
) as cycles on true
-- A lead that a file states explicitly: the cycle that its record opened or continued.
left join lateral (
    select events.lead_key
    from {{ ref('int_person_events') }} as events
    where
        opportunities.stated_lead_id is not null
        and events.person_key = opportunities.person_key
        and events.source_system = opportunities.source_system
        and events.record_id = opportunities.stated_lead_id
        and events.event_kind <> 'stage'
        and events.lead_key is not null
    order by events.occurred_at
    limit 1
) as stated on true
