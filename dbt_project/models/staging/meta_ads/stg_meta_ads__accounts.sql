select
    -- ids
    _connection_id as connection_id,
    account_id as ad_account_id,
    _load_id as load_id,

    -- strings
    account_name,
    currency_code,
    time_zone,

    -- dates
    _fetched_at as fetched_at
from {{ source('meta_ads', 'meta_ads__accounts') }}
