select
    -- ids
    _connection_id as connection_id,
    role_id,
    opportunity_id,
    contact_id,
    _load_id as load_id,

    -- booleans
    coalesce(is_deleted, false) or _removed_at is not null as is_deleted,
    is_primary,

    -- dates
    modified_at,
    created_at,
    _removed_at as removed_at,
    _fetched_at as fetched_at
from {{ source('salesforce', 'salesforce__opportunity_contact_roles') }}
