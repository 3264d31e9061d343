select
    -- ids
    _connection_id as connection_id,
    line_item_id,
    opportunity_id,
    coalesce(product_code, product_id) as product_id,
    _load_id as load_id,

    -- strings
    currency_code,

    -- numerics
    quantity as units,
    list_price * quantity as list_amount_local,
    total_price as amount_local,

    -- booleans
    coalesce(is_deleted, false) or _removed_at is not null as is_deleted,

    -- dates
    modified_at,
    created_at,
    _removed_at as removed_at,
    _fetched_at as fetched_at
from {{ source('salesforce', 'salesforce__opportunity_line_items') }}
