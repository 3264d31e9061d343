select
    -- ids
    _connection_id as connection_id,
    task_id,
    who_id,
    what_id,
    owner_id,
    _load_id as load_id,

    -- strings
    task_subtype,
    status,

    -- booleans
    coalesce(is_deleted, false) or _removed_at is not null as is_deleted,
    is_closed,

    -- dates
    modified_at,
    completed_at,
    created_at,
    _removed_at as removed_at,
    _fetched_at as fetched_at
from {{ source('salesforce', 'salesforce__tasks') }}
