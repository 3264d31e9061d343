select
    -- ids
    _connection_id as connection_id,
    lead_id,
    email_key,
    owner_id,
    converted_contact_id,
    converted_account_id,
    converted_opportunity_id,
    merged_into_id,
    _record_key as record_key,
    _load_id as load_id,

    -- strings
    email_domain,
    status,
    lead_source,
    country,

    -- booleans
    coalesce(is_deleted, false) or _removed_at is not null as is_deleted,
    is_converted,

    -- dates
    modified_at,
    created_at,
    _removed_at as removed_at,
    _fetched_at as fetched_at
from {{ source('salesforce', 'salesforce__leads') }}
