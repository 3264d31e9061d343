select
    -- ids
    _connection_id as connection_id,
    row_key,
    _load_id as load_id,

    -- strings
    upper(base_currency) as base_currency,
    coalesce(upper(quote_currency), 'USD') as quote_currency,

    -- numerics
    rate,

    -- dates
    rate_date,
    _first_seen_at as first_seen_at,
    _fetched_at as fetched_at
from {{ source('files', 'files__exchange_rates') }}
