select
    -- ids
    _connection_id as connection_id,
    customer_id as ad_account_id,
    campaign_id,
    _load_id as load_id,

    -- strings
    currency_code,

    -- numerics
    impressions,
    clicks,
    cost_micros * 0.000001 as spend_local,
    conversions as platform_conversions,
    conversions_value as platform_conversion_value,

    -- dates
    date as date_day,
    _fetched_at as fetched_at
from {{ source('google_ads', 'google_ads__campaign_stats') }}
