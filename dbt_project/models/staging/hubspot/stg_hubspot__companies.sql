select
    -- ids
    _connection_id as connection_id,
    company_id,
    salesforce_account_id,
    _load_id as load_id,

    -- strings
    company_name,
    domain,
    country,
    industry,
    merged_company_ids,

    -- numerics
    employees,

    -- booleans
    coalesce(is_archived, false) or _removed_at is not null as is_archived,

    -- dates
    updated_at,
    created_at,
    _removed_at as removed_at,
    _fetched_at as fetched_at
from {{ source('hubspot', 'hubspot__companies') }}
