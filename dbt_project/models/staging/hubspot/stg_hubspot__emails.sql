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
    is_archived,

    -- dates
    updated_at,
    occurred_at,
    _fetched_at as fetched_at,

    -- documents
    contacts
from {{ source('hubspot', 'hubspot__emails') }}
