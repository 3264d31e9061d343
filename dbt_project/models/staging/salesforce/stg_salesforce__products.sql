select
    -- ids
    _connection_id as connection_id,
    product_id as record_id,
    coalesce(product_code, product_id) as product_id,
    _load_id as load_id,

    -- strings
    product_name,
    product_group,

    -- booleans
    coalesce(is_deleted, false) or _removed_at is not null as is_deleted,

    -- dates
    modified_at,
    created_at,
    _removed_at as removed_at,
    _fetched_at as fetched_at
from {{ source('salesforce', 'salesforce__products') }}
