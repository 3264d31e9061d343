select
    -- ids
    _connection_id as connection_id,
    role_id,
    opportunity_id,
    contact_id,
    _load_id as load_id,

    -- booleans
    is_deleted,
    is_primary,

    -- dates
    modified_at,
    created_at,
    _fetched_at as fetched_at
from {{ source('salesforce', 'salesforce__opportunity_contact_roles') }}
