select
    -- ids
    _connection_id as connection_id,
    member_id,
    campaign_id,
    lead_id,
    contact_id,
    _load_id as load_id,

    -- strings
    status,

    -- booleans
    coalesce(is_deleted, false) or _removed_at is not null as is_deleted,
    has_responded,

    -- dates
    modified_at,
    first_responded_on,
    created_at,
    _removed_at as removed_at,
    _fetched_at as fetched_at
from {{ source('salesforce', 'salesforce__campaign_members') }}
