select
    -- ids
    _connection_id as connection_id,
    property_id,
    campaign_id,
    _load_id as load_id,

    -- strings
    channel_group,
    session_source,
    session_medium,
    campaign_name,
    country_id,

    -- numerics
    sessions,
    engaged_sessions,
    users,
    key_events,

    -- booleans
    is_thresholded,
    has_other_row,

    -- dates
    date as date_day,
    _fetched_at as fetched_at,

    -- documents
    samplings,
    truncation_reasons
from {{ source('ga4', 'ga4__sessions') }}
