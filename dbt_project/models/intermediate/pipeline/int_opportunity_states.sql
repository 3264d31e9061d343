{{ config(materialized='view') }}

-- No CTEs in this view, so that a join with it can use the indexes of the tables below it.
select
    opportunities.opportunity_key,
    history.history_id as state_id,
    history.stage,
    history.amount_local,
    trim_scale(history.probability / 100) as probability,
    -- Salesforce's history does not state which stages are closed: the default ones are known by name, and a closed
    -- deal shows its own.
    lower(history.stage) like 'closed%'
    or (opportunities.is_closed and history.stage = opportunities.stage) as is_closed,
    history.created_at as known_at,
    history.close_date as expected_close_date
from {{ ref('int_opportunities') }} as opportunities
inner join {{ ref('stg_salesforce__opportunity_history') }} as history
    on opportunities.connection_id = history.connection_id and opportunities.opportunity_id = history.opportunity_id
where opportunities.source_system = 'salesforce' and not coalesce(history.is_deleted, false)

union all

-- HubSpot keeps the history of the stage only: amounts are the current ones, and the expected close of a closed deal is
-- unknown.
select
    opportunities.opportunity_key,
    (entries.entry ->> 'timestamp') || ':' || (entries.entry ->> 'value') as state_id,
    coalesce(named.stage_name, entries.entry ->> 'value') as stage,
    opportunities.amount_local,
    named.probability,
    coalesce(
        named.is_closed,
        opportunities.is_closed and coalesce(named.stage_name, entries.entry ->> 'value') = opportunities.stage
    ) as is_closed,
    (entries.entry ->> 'timestamp')::timestamptz as known_at,
    case when not opportunities.is_closed then opportunities.close_date end as expected_close_date
from {{ ref('int_opportunities') }} as opportunities
inner join {{ ref('stg_hubspot__deals') }} as deals
    on opportunities.connection_id = deals.connection_id and opportunities.opportunity_id = deals.deal_id
cross join lateral {{ json_elements('deals.stage_history') }} as entries (entry)
left join lateral (
    select
        stages.stage_name,
        stages.probability,
        stages.is_closed
    from {{ ref('int_pipeline_stages') }} as stages
    where stages.connection_id = deals.connection_id and stages.stage_id = entries.entry ->> 'value'
    order by stages.pipeline_id = deals.pipeline desc, stages.pipeline_id
    limit 1
) as named on true
where opportunities.source_system = 'hubspot'

union all

select
    opportunities.opportunity_key,
    events.row_key as state_id,
    events.stage,
    opportunities.amount_local,
    null::numeric as probability,
    events.stage in ('won', 'lost') as is_closed,
    coalesce(events.entered_at, {{ start_of_day('events.entered_on') }}) as known_at,
    case when not opportunities.is_closed then opportunities.close_date end as expected_close_date
from {{ ref('int_opportunities') }} as opportunities
inner join {{ ref('stg_files__stage_events') }} as events
    on opportunities.connection_id = events.connection_id and opportunities.opportunity_id = events.opportunity_id
where opportunities.source_system not in ('hubspot', 'salesforce')
