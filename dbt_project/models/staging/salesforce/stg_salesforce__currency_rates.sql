select
    -- ids
    _connection_id as connection_id,
    rate_id,
    _load_id as load_id,

    -- strings
    currency_code,

    -- numerics
    conversion_rate,

    -- dates
    modified_at,
    starts_on,
    ends_before,
    _fetched_at as fetched_at
from {{ source('salesforce', 'salesforce__currency_rates') }}
