select
    -- ids
    _connection_id as connection_id,
    account_id,
    merged_into_id,
    _load_id as load_id,

    -- strings
    account_name,
    industry,
    country,
    website,

    -- numerics
    employees,

    -- booleans
    coalesce(is_deleted, false) or _removed_at is not null as is_deleted,

    -- dates
    modified_at,
    created_at,
    _removed_at as removed_at,
    _fetched_at as fetched_at
from {{ source('salesforce', 'salesforce__accounts') }}
