select
    -- ids
    _connection_id as connection_id,
    account_id as ad_account_id,
    campaign_id,
    _load_id as load_id,

    -- strings
    currency_code,
    report_time_zone,

    -- numerics
    impressions,
    clicks,
    spend as spend_local,
    conversions as platform_conversions,
    revenue as platform_conversion_value,

    -- dates
    date as date_day,
    _fetched_at as fetched_at
from {{ source('microsoft_ads', 'microsoft_ads__campaign_stats') }}
