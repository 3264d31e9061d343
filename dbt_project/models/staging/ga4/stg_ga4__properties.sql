select
    -- ids
    _connection_id as connection_id,
    property_id,
    _load_id as load_id,

    -- strings
    time_zone,
    currency_code,

    -- dates
    _fetched_at as fetched_at
from {{ source('ga4', 'ga4__properties') }}
