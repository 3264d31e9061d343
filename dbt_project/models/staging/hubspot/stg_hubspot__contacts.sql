select
    -- ids
    _connection_id as connection_id,
    contact_id,
    email_key,
    utm_id,
    company_id,
    owner_id,
    salesforce_lead_id,
    salesforce_contact_id,
    _record_key as record_key,
    _load_id as load_id,

    -- strings
    email_domain,
    lifecycle_stage,
    lead_status,
    analytics_source,
    utm_source,
    utm_medium,
    utm_campaign,
    country,
    merged_contact_ids,

    -- booleans
    coalesce(is_archived, false) or _removed_at is not null as is_archived,

    -- dates
    updated_at,
    created_at,
    last_modified_at,
    analytics_first_at,
    _removed_at as removed_at,
    _fetched_at as fetched_at,

    -- documents
    lifecycle_stage_history,
    lead_status_history
from {{ source('hubspot', 'hubspot__contacts') }}
