{{ config(materialized='view') }}

-- Personal activities towards a lead or contact: planned, cancelled or mass activities do not count.
select
    connection_id,
    task_id as activity_id,
    who_id as record_id,
    'salesforce' as source_system,
    'task' as activity_type,
    coalesce(completed_at, created_at) as occurred_at
from {{ ref('stg_salesforce__tasks') }}
where is_closed and not coalesce(is_deleted, false) and coalesce(task_subtype, '') <> 'ListEmail'

union all

select
    connection_id,
    event_id as activity_id,
    who_id as record_id,
    'salesforce' as source_system,
    'event' as activity_type,
    starts_at as occurred_at
from {{ ref('stg_salesforce__events') }}
where not coalesce(is_deleted, false)

union all

select
    connection_id,
    activity_id,
    contact_id as record_id,
    'hubspot' as source_system,
    activity_type,
    occurred_at
from {{ ref('int_engagement_contacts') }}

union all

select
    connection_id,
    'first_response' as activity_id,
    lead_id as record_id,
    connection_id as source_system,
    'first_response' as activity_type,
    coalesce(first_response_at, {{ end_of_day('first_response_on') }}) as occurred_at
from {{ ref('stg_files__leads') }}
where coalesce(first_response_at, {{ end_of_day('first_response_on') }}) is not null
