select
    -- ids
    _connection_id as connection_id,
    order_id,
    customer_id,
    email_key,
    opportunity_id,
    _load_id as load_id,

    -- strings
    order_name,
    financial_status,
    sales_channel,
    currency_code,
    email_domain,
    country_id,
    utm_source,
    utm_medium,
    utm_campaign,

    -- numerics
    subtotal as subtotal_local,

    -- booleans
    _removed_at is not null as is_removed,
    is_test,
    taxes_included,

    -- dates
    updated_at,
    created_at,
    processed_at,
    cancelled_at,
    _removed_at as removed_at,
    _fetched_at as fetched_at,

    -- documents
    tags,
    attributes,
    discount_codes,
    lines,
    refunds
from {{ source('shopify', 'shopify__orders') }}
