select
    -- ids
    _connection_id as connection_id,
    row_key,
    lead_id,
    opportunity_id,
    _load_id as load_id,

    -- strings
    stage,
    owner,
    reason,

    -- dates
    entered_at,
    entered_on,
    _first_seen_at as first_seen_at,
    _fetched_at as fetched_at
from {{ source('files', 'files__stage_events') }}
