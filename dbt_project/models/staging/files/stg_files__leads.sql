select
    -- ids
    _connection_id as connection_id,
    row_key,
    lead_id,
    email_key,
    person_id_key,
    account_id,
    campaign_id,
    coalesce(rep_id, rep_name) as rep_id,
    _record_key as record_key,
    _load_id as load_id,

    -- strings
    email_domain,
    lead_source,
    case when channel !~ '^[(].*[)]$' then channel end as stated_channel,
    utm_source,
    utm_medium,
    utm_campaign,
    landing_page,
    rep_name,
    region,
    status,
    disqualify_reason,

    -- dates
    created_at,
    created_on,
    mql_at,
    mql_on,
    sal_at,
    sal_on,
    sql_at,
    sql_on,
    disqualified_at,
    disqualified_on,
    first_response_at,
    first_response_on,
    _first_seen_at as first_seen_at,
    _fetched_at as fetched_at
from {{ source('files', 'files__leads') }}
