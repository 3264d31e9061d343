select
    -- ids
    _connection_id as connection_id,
    deal_id,
    owner_id,
    coalesce(company_id, companies #>> '{0,toObjectId}') as company_id,
    salesforce_opportunity_id,
    _load_id as load_id,

    -- strings
    currency_code,
    stage,
    pipeline,
    deal_type,
    lost_reason,
    merged_deal_ids,

    -- numerics
    amount as amount_local,
    probability,

    -- booleans
    coalesce(is_archived, false) or _removed_at is not null as is_archived,
    is_closed,
    is_won,

    -- dates
    updated_at,
    created_at,
    closed_at,
    _removed_at as removed_at,
    _fetched_at as fetched_at,

    -- documents
    stage_history,
    contacts,
    companies
from {{ source('hubspot', 'hubspot__deals') }}
