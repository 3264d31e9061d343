select
    -- ids
    _connection_id as connection_id,
    row_key,
    order_id,
    customer_id,
    account_id,
    email_key,
    opportunity_id,
    opportunities_of,
    campaign_id,
    _load_id as load_id,

    -- strings
    status,
    email_domain,
    case when channel !~ '^[(].*[)]$' then channel end as stated_channel,
    utm_source,
    utm_medium,
    utm_campaign,
    currency_code,

    -- dates
    ordered_at,
    ordered_on,
    _first_seen_at as first_seen_at,
    _fetched_at as fetched_at
from {{ source('files', 'files__orders') }}
