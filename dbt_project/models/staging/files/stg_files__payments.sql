select
    -- ids
    _connection_id as connection_id,
    row_key,
    order_id,
    payment_no,
    _load_id as load_id,

    -- strings
    payment_type,
    currency_code,

    -- numerics
    amount as amount_local,

    -- dates
    _first_seen_at as first_seen_at,
    _fetched_at as fetched_at
from {{ source('files', 'files__payments') }}
