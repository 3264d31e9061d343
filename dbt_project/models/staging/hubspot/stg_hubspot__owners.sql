select
    -- ids
    _connection_id as connection_id,
    owner_id,
    email_key,
    _load_id as load_id,

    -- strings
    email_domain,
    first_name,
    last_name,

    -- booleans
    is_archived,

    -- dates
    updated_at,
    _fetched_at as fetched_at,

    -- documents
    teams
from {{ source('hubspot', 'hubspot__owners') }}
