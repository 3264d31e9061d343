select
    -- ids
    _connection_id as connection_id,
    account_id as ad_account_id,
    campaign_id,
    _load_id as load_id,

    -- numerics
    impressions,
    clicks,
    cost_in_local_currency as spend_local,
    external_website_conversions,
    one_click_leads,
    conversion_value_in_local_currency as platform_conversion_value,

    -- dates
    date as date_day,
    _fetched_at as fetched_at
from {{ source('linkedin_ads', 'linkedin_ads__campaign_stats') }}
