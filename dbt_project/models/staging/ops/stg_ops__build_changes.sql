select
    -- ids
    build_id,

    -- strings
    subject,
    reason,

    -- booleans
    is_same_data
from {{ source('ops', 'build_changes') }}
