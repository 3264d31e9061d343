select
    -- ids
    _connection_id as connection_id,
    row_key,
    email_key,
    person_id_key,
    lead_id,
    campaign_id,
    _load_id as load_id,

    -- strings
    email_domain,
    touch_type,
    case when channel !~ '^[(].*[)]$' then channel end as stated_channel,
    utm_source,
    utm_medium,
    utm_campaign,

    -- dates
    touched_at,
    touched_on,
    _first_seen_at as first_seen_at,
    _fetched_at as fetched_at
from {{ source('files', 'files__touches') }}
