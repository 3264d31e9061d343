select
    -- ids
    _connection_id as connection_id,
    account_id as ad_account_id,
    campaign_id,
    _load_id as load_id,

    -- strings
    campaign_name,
    status,
    objective as campaign_type,

    -- dates
    _fetched_at as fetched_at
from {{ source('meta_ads', 'meta_ads__campaigns') }}
