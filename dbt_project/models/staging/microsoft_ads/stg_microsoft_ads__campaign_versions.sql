select
    -- ids
    _connection_id as connection_id,
    account_id as ad_account_id,
    campaign_id,
    _load_id as load_id,

    -- strings
    campaign_name,
    status,
    campaign_type,

    -- dates
    _fetched_at as fetched_at
from {{ source('microsoft_ads', 'microsoft_ads__campaigns') }}
