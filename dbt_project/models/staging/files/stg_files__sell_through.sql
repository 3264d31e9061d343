select
    -- ids
    _connection_id as connection_id,
    row_key,
    store_id,
    product_id,
    _load_id as load_id,

    -- strings
    retailer,
    region,
    currency_code,

    -- numerics
    units_sold,
    sales_amount as sales_amount_local,
    units_on_hand,

    -- dates
    week_start,
    date_day,
    _first_seen_at as first_seen_at,
    _fetched_at as fetched_at
from {{ source('files', 'files__sell_through') }}
