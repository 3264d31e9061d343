{{ config(materialized='view') }}

with

opportunities as (
    select * from {{ ref('int_opportunities') }}
),

cycle_starts as (
    select * from {{ ref('int_person_events') }}
    where starts_cycle
),

matched as (
    select
        opportunities.opportunity_key,
        cycles.lead_key,
        opportunities.person_key,
        opportunities.opportunity_type,
        opportunities.is_won,
        opportunities.is_lost,
        opportunities.created_at,
        opportunities.closed_at
    from opportunities
    left join lateral (
        select cycle_starts.lead_key
        from cycle_starts
        where
            cycle_starts.person_key = opportunities.person_key
            and cycle_starts.occurred_at <= opportunities.created_at
        order by cycle_starts.occurred_at desc, cycle_starts.cycle_no desc
        limit 1
    ) as cycles on true
)

select * from matched
