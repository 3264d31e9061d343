select
    -- ids
    _connection_id as connection_id,
    row_key,
    rep_id,
    email_key,
    _load_id as load_id,

    -- strings
    rep_name,
    team,
    region,
    manager_name,
    email_domain,

    -- dates
    _first_seen_at as first_seen_at,
    _fetched_at as fetched_at
from {{ source('files', 'files__reps') }}
