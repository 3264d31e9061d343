select
    -- ids
    _connection_id as connection_id,
    email_id,
    owner_id,
    _load_id as load_id,

    -- strings
    direction,
    status,

    -- booleans
    coalesce(is_archived, false) or _removed_at is not null as is_archived,

    -- dates
    updated_at,
    occurred_at,
    _removed_at as removed_at,
    _fetched_at as fetched_at,

    -- documents
    contacts
from {{ source('hubspot', 'hubspot__emails') }}
