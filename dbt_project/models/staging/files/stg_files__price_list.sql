select
    -- ids
    _connection_id as connection_id,
    row_key,
    product_id,
    _load_id as load_id,

    -- strings
    currency_code,

    -- numerics
    list_price as list_price_local,

    -- dates
    valid_from,
    valid_to,
    _first_seen_at as first_seen_at,
    _fetched_at as fetched_at
from {{ source('files', 'files__price_list') }}
