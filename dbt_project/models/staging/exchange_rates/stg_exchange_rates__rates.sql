select
    -- ids
    _connection_id as connection_id,
    _load_id as load_id,

    -- strings
    currency_code,

    -- numerics
    units_per_euro,

    -- dates
    rate_date,
    _fetched_at as fetched_at
from {{ source('exchange_rates', 'exchange_rates__rates') }}
