select
    -- ids
    _connection_id as connection_id,
    row_key,
    opportunity_id,
    line_no,
    product_id,
    _load_id as load_id,

    -- strings
    currency_code,

    -- numerics
    units,
    list_amount as list_amount_local,
    discount_amount as discount_amount_local,
    amount as amount_local,

    -- dates
    _first_seen_at as first_seen_at,
    _fetched_at as fetched_at
from {{ source('files', 'files__opportunity_lines') }}
