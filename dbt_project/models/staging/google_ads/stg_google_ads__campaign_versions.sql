select
    -- ids
    _connection_id as connection_id,
    customer_id as ad_account_id,
    campaign_id,
    _load_id as load_id,

    -- strings
    time_zone,
    campaign_name,
    status,
    advertising_channel_type as campaign_type,

    -- dates
    _fetched_at as fetched_at
from {{ source('google_ads', 'google_ads__campaigns') }}
