select
    -- ids
    _connection_id as connection_id,
    user_id,
    email_key,
    manager_id,
    _load_id as load_id,

    -- strings
    user_name,
    email_domain,
    team,
    region,

    -- booleans
    is_active,

    -- dates
    modified_at,
    _fetched_at as fetched_at
from {{ source('salesforce', 'salesforce__users') }}
