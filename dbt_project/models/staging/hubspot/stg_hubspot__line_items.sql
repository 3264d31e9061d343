select
    -- ids
    _connection_id as connection_id,
    line_item_id,
    deal_id,
    coalesce(sku, product_id, product_name) as product_id,
    _load_id as load_id,

    -- strings
    product_name,
    currency_code,

    -- numerics
    quantity as units,
    price * quantity as list_amount_local,
    amount as amount_local,

    -- booleans
    coalesce(is_archived, false) or _removed_at is not null as is_archived,

    -- dates
    updated_at,
    created_at,
    _removed_at as removed_at,
    _fetched_at as fetched_at
from {{ source('hubspot', 'hubspot__line_items') }}
