select
    -- ids
    _connection_id as connection_id,
    row_key,
    opportunity_id,
    lead_id,
    person_id_key,
    account_id,
    coalesce(rep_id, rep_name) as rep_id,
    product_id,
    campaign_id,
    _load_id as load_id,

    -- strings
    stage,
    currency_code,
    rep_name,
    opportunity_type,
    lead_source,
    case when channel !~ '^[(].*[)]$' then channel end as stated_channel,
    region,

    -- numerics
    amount as amount_local,
    list_amount as list_amount_local,
    discount_amount as discount_amount_local,
    cost_amount as cost_amount_local,
    probability,

    -- dates
    created_at,
    created_on,
    closed_at,
    closed_on,
    expected_close_date,
    _first_seen_at as first_seen_at,
    _fetched_at as fetched_at
from {{ source('files', 'files__opportunities') }}
