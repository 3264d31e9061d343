select
    -- ids
    _connection_id as connection_id,
    pipeline_id,
    _load_id as load_id,

    -- strings
    pipeline_name,

    -- booleans
    is_archived,

    -- dates
    updated_at,
    created_at,
    _fetched_at as fetched_at,

    -- documents
    stages
from {{ source('hubspot', 'hubspot__pipelines') }}
