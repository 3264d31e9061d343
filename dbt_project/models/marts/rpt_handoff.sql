{{
    config(
        unique_key=['lead_key', 'held_from'],
        scope_column='person_key',
        track=['person_key'],
        indexes=[{'columns': ['person_key']}],
    )
}}

{% call scope() %}
select person_key from {{ changes('fct_leads') }}
union all
select person_key from {{ changes('int_lead_moves') }}
union all
select person_key
from {{ ref('fct_leads') }}
where {{ is_touched('lead_key', 'fct_opportunities') }}
{% endcall %}

with

leads as (
    select * from {{ ref('fct_leads') }}
    where {{ in_scope('person_key') }}
),

moves as (
    select * from {{ ref('int_lead_moves') }}
    where move_kind = 'owner' and {{ in_scope('person_key') }}
),

-- Rep of a lead's first deal; renewals have no hand-over.
deals as (
    select distinct on (opportunities.lead_key)
        opportunities.lead_key,
        opportunities.rep_key
    from leads
    inner join {{ ref('fct_opportunities') }} as opportunities on leads.lead_key = opportunities.lead_key
    where opportunities.opportunity_type <> 'renewal'
    order by opportunities.lead_key, opportunities.created_at, opportunities.opportunity_key
),

cycles as (
    select
        leads.*,
        deals.rep_key as deal_rep_key,
        -- The first owner: sales if it found the lead itself, otherwise marketing until the hand-over.
        case
            when leads.owner_team = 'sales' then leads.created_at
            else least(leads.mql_at, leads.sal_at, leads.sql_at, leads.opportunity_at)
        end as handed_over_at,
        least(leads.sal_at, leads.sql_at, leads.opportunity_at) as accepted_at
    from leads
    left join deals on leads.lead_key = deals.lead_key
),

-- A bounce: sales had the lead and gave it back, either unworked or for nurturing.
bounced as (
    select
        *,
        coalesce(
            sum(
                (
                    handed_over_at is not null
                    and (outcome = 'recycled' or (outcome = 'disqualified' and accepted_at is null))
                )::integer
            ) over (
                partition by person_key
                order by cycle_no
                rows between unbounded preceding and 1 preceding
            ),
            0
        )::integer as bounce_no
    from cycles
),

moments as (
    select
        lead_key,
        created_at as changed_at
    from bounced

    union

    select
        bounced.lead_key,
        -- Events dated before the lead came count from its arrival.
        greatest(steps.changed_at, bounced.created_at) as changed_at
    from bounced
    cross join
        lateral (values (bounced.handed_over_at), (bounced.accepted_at), (bounced.opportunity_at)) as steps (changed_at)
    -- Changes entered after the end have no interval.
    where steps.changed_at < bounced.ended_at or (steps.changed_at is not null and bounced.ended_at is null)

    union

    select
        bounced.lead_key,
        moves.moved_at as changed_at
    from bounced
    inner join moves on bounced.lead_key = moves.lead_key
    where
        moves.moved_at >= bounced.handed_over_at
        and (moves.moved_at < bounced.opportunity_at or bounced.opportunity_at is null)
        and (moves.moved_at < bounced.ended_at or bounced.ended_at is null)
),

held as (
    select
        bounced.*,
        moments.changed_at as held_from,
        coalesce(lead(moments.changed_at) over following, bounced.ended_at) as held_to,
        lead(moments.changed_at) over following as next_changed_at,
        coalesce(bounced.handed_over_at <= moments.changed_at, false) as is_with_sales
    from moments
    inner join bounced on moments.lead_key = bounced.lead_key
    window following as (partition by moments.lead_key order by moments.changed_at)
),

owned as (
    select
        held.*,
        case
            when not held.is_with_sales then null
            when held.opportunity_at <= held.held_from then coalesce(held.deal_rep_key, held.rep_key)
            -- The last owner before, else the previous owner named by the first change.
            when owners.is_known then owners.owner_key
            else held.rep_key
        end as holder_key
    from held
    left join
        lateral (
            select
                true as is_known,
                case when moves.moved_at <= held.held_from then moves.rep_key else moves.from_rep_key end as owner_key
            from {{ ref('int_lead_moves') }} as moves
            where moves.lead_key = held.lead_key and moves.move_kind = 'owner'
            order by
                moves.moved_at <= held.held_from desc,
                case when moves.moved_at <= held.held_from then moves.moved_at end desc,
                moves.moved_at,
                moves.move_id
            limit 1
        ) as owners
        on true
),

regions as (
    select distinct region from leads
),

calendars as (
    select distinct on (regions.region)
        regions.region,
        hours.region as calendar_region,
        hours.time_zone
    from regions
    inner join {{ ref('business_hours') }} as hours on hours.region in (regions.region, '(default)')
    order by regions.region, hours.region = '(default)'
),

final as (
    select
        owned.lead_key,
        owned.person_key,
        owned.holder_key as rep_key,
        owned.region,
        case when owned.is_with_sales then 'sales' else 'marketing' end as holder_team,
        case
            when owned.next_changed_at is null and owned.ended_at is null then 'open'
            when owned.next_changed_at is null
                then
                    case
                        when owned.outcome = 'disqualified' and owned.is_with_sales and owned.accepted_at is null
                            then 'rejected'
                        else owned.outcome
                    end
            when not owned.is_with_sales then 'handed over'
            when owned.opportunity_at = owned.next_changed_at then 'opportunity'
            when owned.accepted_at = owned.next_changed_at then 'accepted'
            else 'reassigned'
        end as outcome,
        owned.bounce_no,
        floor(
            (
                {{ business_seconds('last_days', 'owned.held_to') }} - {{ business_seconds('first_days', 'owned.held_from') }}
            ) / 60
        )::integer as business_minutes,
        case
            when
                owned.is_with_sales
                and owned.mql_at is not null
                and greatest(owned.mql_at, owned.created_at) >= owned.held_from
                and (greatest(owned.mql_at, owned.created_at) < owned.held_to or owned.held_to is null)
                then owned.is_sla_breached
        end as is_sla_breached,
        owned.held_from,
        owned.held_to
    from owned
    inner join calendars on owned.region = calendars.region
    left join {{ ref('int_business_days') }} as first_days
        on
            calendars.calendar_region = first_days.region
            and first_days.date_day = {{ local_date('owned.held_from', 'calendars.time_zone') }}
    left join {{ ref('int_business_days') }} as last_days
        on
            calendars.calendar_region = last_days.region
            and last_days.date_day = {{ local_date('owned.held_to', 'calendars.time_zone') }}
)

select * from final
