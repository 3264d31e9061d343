select
    -- ids
    _connection_id as connection_id,
    row_key,
    _load_id as load_id,

    -- strings
    period_grain,
    team,
    metric,
    region,
    currency_code,

    -- numerics
    target,

    -- dates
    period_start,
    _first_seen_at as first_seen_at,
    _fetched_at as fetched_at
from {{ source('files', 'files__targets') }}
