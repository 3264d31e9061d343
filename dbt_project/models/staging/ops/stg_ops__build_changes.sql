select
    -- ids
    build_id,

    -- strings
    subject,
    reason
from {{ source('ops', 'build_changes') }}
