select
    -- ids
    _connection_id as connection_id,
    event_id,
    who_id,
    what_id,
    owner_id,
    _load_id as load_id,

    -- strings
    event_subtype,

    -- booleans
    coalesce(is_deleted, false) or _removed_at is not null as is_deleted,

    -- dates
    modified_at,
    starts_at,
    created_at,
    _removed_at as removed_at,
    _fetched_at as fetched_at
from {{ source('salesforce', 'salesforce__events') }}
