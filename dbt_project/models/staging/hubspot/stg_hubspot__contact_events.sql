select
    -- ids
    _connection_id as connection_id,
    event_id,
    contact_id,
    utm_id,
    email_campaign_id,
    _load_id as load_id,

    -- strings
    event_type,
    utm_source,
    utm_medium,
    utm_campaign,
    page_url,

    -- dates
    occurred_on,
    occurred_at,
    _fetched_at as fetched_at
from {{ source('hubspot', 'hubspot__contact_events') }}
