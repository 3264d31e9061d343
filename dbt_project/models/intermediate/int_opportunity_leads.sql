{{ config(materialized='view') }}

-- Without common table expressions, so that a join with this view reaches the indexes below it.
select
    opportunities.opportunity_key,
    cycles.lead_key,
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
