select
    -- ids
    _connection_id as connection_id,
    contact_id,
    email_key,
    account_id,
    owner_id,
    merged_into_id,
    _record_key as record_key,
    _load_id as load_id,

    -- strings
    email_domain,
    lead_source,

    -- booleans
    coalesce(is_deleted, false) or _removed_at is not null as is_deleted,

    -- dates
    modified_at,
    created_at,
    _removed_at as removed_at,
    _fetched_at as fetched_at
from {{ source('salesforce', 'salesforce__contacts') }}
