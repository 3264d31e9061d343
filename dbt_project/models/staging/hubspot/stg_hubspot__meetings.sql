select
    -- ids
    _connection_id as connection_id,
    meeting_id,
    owner_id,
    _load_id as load_id,

    -- strings
    outcome,

    -- booleans
    coalesce(is_archived, false) or _removed_at is not null as is_archived,

    -- dates
    updated_at,
    coalesce(starts_at, occurred_at) as occurred_at,
    _removed_at as removed_at,
    _fetched_at as fetched_at,

    -- documents
    contacts
from {{ source('hubspot', 'hubspot__meetings') }}
