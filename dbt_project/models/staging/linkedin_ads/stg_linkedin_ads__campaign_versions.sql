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
    objective,

    -- dates
    _fetched_at as fetched_at
from {{ source('linkedin_ads', 'linkedin_ads__campaigns') }}
