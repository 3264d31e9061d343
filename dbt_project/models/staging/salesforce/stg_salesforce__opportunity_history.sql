select
    -- ids
    _connection_id as connection_id,
    history_id,
    opportunity_id,
    created_by_id,
    _load_id as load_id,

    -- strings
    stage,

    -- numerics
    amount as amount_local,
    probability,

    -- booleans
    is_deleted,

    -- dates
    modified_at,
    close_date,
    created_at,
    _fetched_at as fetched_at
from {{ source('salesforce', 'salesforce__opportunity_history') }}
