select
    -- ids
    _connection_id as connection_id,
    opportunity_id,
    account_id,
    owner_id,
    primary_contact_id,
    _load_id as load_id,

    -- strings
    opportunity_type,
    lead_source,
    stage,
    currency_code,

    -- numerics
    amount as amount_local,
    list_amount as list_amount_local,
    probability,

    -- booleans
    coalesce(is_deleted, false) or _removed_at is not null as is_deleted,
    is_closed,
    is_won,

    -- dates
    modified_at,
    created_at,
    close_date,
    _removed_at as removed_at,
    _fetched_at as fetched_at
from {{ source('salesforce', 'salesforce__opportunities') }}
