select
    -- ids
    _connection_id as connection_id,
    history_id,
    lead_id,
    created_by_id,
    _load_id as load_id,

    -- strings
    field,
    old_value,
    new_value,

    -- booleans
    is_deleted,

    -- dates
    modified_at,
    created_at,
    _fetched_at as fetched_at
from {{ source('salesforce', 'salesforce__lead_history') }}
