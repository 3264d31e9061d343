select
    -- ids
    _connection_id as connection_id,
    row_key,
    ad_account_id,
    campaign_id,
    _load_id as load_id,

    -- strings
    _file_order as file_order,
    platform,
    case when channel !~ '^[(].*[)]$' then channel end as stated_channel,
    campaign_name,
    currency_code,

    -- numerics
    impressions,
    clicks,
    spend as spend_local,
    platform_conversions,
    leads as platform_leads,
    orders as platform_purchases,
    revenue as platform_conversion_value_local,

    -- dates
    date_day,
    _first_seen_at as first_seen_at,
    _fetched_at as fetched_at
from {{ source('files', 'files__ad_stats') }}
