select
    -- ids
    _connection_id as connection_id,
    campaign_id,
    _load_id as load_id,

    -- strings
    campaign_name,
    campaign_type,
    status,

    -- booleans
    coalesce(is_deleted, false) or _removed_at is not null as is_deleted,

    -- dates
    modified_at,
    start_date,
    created_at,
    _removed_at as removed_at,
    _fetched_at as fetched_at
from {{ source('salesforce', 'salesforce__campaigns') }}
