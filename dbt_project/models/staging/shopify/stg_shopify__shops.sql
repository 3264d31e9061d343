select
    -- ids
    _connection_id as connection_id,
    shop_id,
    _load_id as load_id,

    -- strings
    shop_name,
    domain,
    time_zone,
    currency_code,

    -- dates
    _fetched_at as fetched_at
from {{ source('shopify', 'shopify__shops') }}
