select
    -- ids
    _connection_id as connection_id,
    row_key,
    order_id,
    order_line,
    product_id,
    account_id,
    _load_id as load_id,

    -- numerics
    units,
    amount as amount_local,
    freight_amount as freight_amount_local,
    discount_amount as discount_amount_local,

    -- dates
    _first_seen_at as first_seen_at,
    _fetched_at as fetched_at
from {{ source('files', 'files__order_lines') }}
