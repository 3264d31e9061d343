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
    is_deleted,
    has_responded,

    -- dates
    modified_at,
    first_responded_on,
    created_at,
    _fetched_at as fetched_at
from {{ source('salesforce', 'salesforce__campaign_members') }}
