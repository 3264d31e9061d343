select
    -- ids
    _connection_id as connection_id,
    row_key,
    _load_id as load_id,

    -- strings
    team,
    channel,
    cost_type,
    currency_code,

    -- numerics
    amount as amount_local,

    -- dates
    month,
    _first_seen_at as first_seen_at,
    _fetched_at as fetched_at
from {{ source('files', 'files__costs') }}
