select
    -- ids
    _connection_id as connection_id,
    row_key,
    _load_id as load_id,

    -- strings
    plan,
    team,

    -- numerics
    step_from,
    commission_rate,

    -- dates
    valid_from,
    valid_to,
    _first_seen_at as first_seen_at,
    _fetched_at as fetched_at
from {{ source('files', 'files__commission_plans') }}
