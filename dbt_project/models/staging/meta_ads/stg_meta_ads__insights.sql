select
    -- ids
    _connection_id as connection_id,
    account_id as ad_account_id,
    campaign_id,
    _load_id as load_id,

    -- strings
    account_currency as currency_code,

    -- numerics
    impressions,
    clicks,
    spend as spend_local,

    -- dates
    date_start as date_day,
    _fetched_at as fetched_at,

    -- documents
    actions,
    action_values
from {{ source('meta_ads', 'meta_ads__insights') }}
