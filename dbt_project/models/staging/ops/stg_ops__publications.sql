select
    -- ids
    publication_id,
    build_id,

    -- strings
    reporting_currency,

    -- dates
    known_on,
    last_day,
    reverted_at
from {{ source('ops', 'publication_settings') }}
