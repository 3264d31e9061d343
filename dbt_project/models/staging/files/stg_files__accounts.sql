select
    -- ids
    _connection_id as connection_id,
    row_key,
    account_id,
    _load_id as load_id,

    -- strings
    account_name,
    industry,
    country,
    region,
    website,

    -- numerics
    employees,

    -- dates
    created_at,
    created_on,
    _first_seen_at as first_seen_at,
    _fetched_at as fetched_at
from {{ source('files', 'files__accounts') }}
