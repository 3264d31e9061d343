select
    -- ids
    source as source_name,
    connection_id,
    stream,
    account,
    load_id,

    -- dates
    date_day,
    fetched_at
from {{ source('ops', 'loaded_days') }}
