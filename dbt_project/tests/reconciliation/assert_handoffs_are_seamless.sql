-- Every lead has exactly one owner at any time from its start to its end.
with

intervals as (
    select
        lead_key,
        held_from,
        held_to,
        lag(held_to) over (partition by lead_key order by held_from) as previous_to,
        row_number() over (partition by lead_key order by held_from) as interval_no,
        row_number() over (partition by lead_key order by held_from desc) as places_left
    from {{ ref('rpt_handoff') }}
    where {{ is_touched('lead_key', 'rpt_handoff') }}
),

leads as (
    select * from {{ ref('fct_leads') }}
    where {{ is_touched('lead_key', 'fct_leads') }}
)

select
    intervals.lead_key,
    intervals.held_from,
    'overlaps, leaves a gap or does not cover its cycle' as fault
from intervals
left join {{ ref('fct_leads') }} as cycles on intervals.lead_key = cycles.lead_key
where
    cycles.lead_key is null
    or intervals.held_to < intervals.held_from
    or (intervals.interval_no = 1 and intervals.held_from <> cycles.created_at)
    or (intervals.interval_no > 1 and intervals.previous_to is distinct from intervals.held_from)
    or (intervals.places_left = 1 and intervals.held_to is distinct from cycles.ended_at)

union all

select
    leads.lead_key,
    leads.created_at as held_from,
    'held by nobody' as fault
from leads
where not exists (
    select 1 from {{ ref('rpt_handoff') }} as held
    where held.lead_key = leads.lead_key
)
