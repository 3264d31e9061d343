select
    -- ids
    _connection_id as connection_id,
    row_key,
    _load_id as load_id,

    -- strings
    component,
    region,
    approved_by,

    -- numerics
    baseline,

    -- dates
    valid_from,
    approved_on,
    _first_seen_at as first_seen_at,
    _fetched_at as fetched_at
from {{ source('files', 'files__alignment_baselines') }}
