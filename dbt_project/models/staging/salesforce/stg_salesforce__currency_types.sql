select
    -- ids
    _connection_id as connection_id,
    currency_type_id,
    _load_id as load_id,

    -- strings
    currency_code,

    -- numerics
    conversion_rate,

    -- booleans
    is_corporate,

    -- dates
    modified_at,
    _fetched_at as fetched_at
from {{ source('salesforce', 'salesforce__currency_types') }}
