{{ config(materialized='view') }}

-- No CTEs in this view, so that a join with it can use the indexes of the tables below it.
select
    connection_id,
    contact_id as record_id,
    record_key,
    load_id,
    'hubspot' as source_system,
    'contact' as record_type,
    email_key,
    email_domain,
    analytics_source as lead_source,
    owner_id,
    'hubspot:' || connection_id || ':' || company_id as account_record,
    null::text as converted_contact_id,
    string_to_array(replace(merged_contact_ids, ' ', ''), ';') as merged_record_ids,
    array_remove(
        array[
            'hubspot:contact:' || connection_id || ':' || contact_id,
            'email:' || email_key,
            'salesforce:lead:' || salesforce_lead_id,
            'salesforce:contact:' || salesforce_contact_id
        ],
        null
    ) as identifiers,
    false as is_merge_loser,
    not coalesce(is_archived, false) and not {{ is_survivor_gone('hubspot', 'contact', 'contacts.contact_id') }} as is_live,
    created_at,
    coalesce(analytics_first_at, fetched_at) as fallback_created_at
from {{ ref('stg_hubspot__contacts') }} as contacts

union all

select
    connection_id,
    lead_id as record_id,
    record_key,
    load_id,
    'salesforce' as source_system,
    'lead' as record_type,
    email_key,
    email_domain,
    lead_source,
    owner_id,
    'salesforce:' || connection_id || ':' || converted_account_id as account_record,
    converted_contact_id,
    null::text[] as merged_record_ids,
    array_remove(
        array[
            'salesforce:lead:' || lead_id,
            'email:' || email_key,
            'salesforce:contact:' || converted_contact_id,
            'salesforce:lead:' || merged_into_id
        ],
        null
    ) as identifiers,
    merged_into_id is not null as is_merge_loser,
    (not coalesce(is_deleted, false) or merged_into_id is not null)
    and not {{ is_survivor_gone('salesforce', 'lead', 'leads.lead_id') }} as is_live,
    created_at,
    fetched_at as fallback_created_at
from {{ ref('stg_salesforce__leads') }} as leads

union all

select
    connection_id,
    contact_id as record_id,
    record_key,
    load_id,
    'salesforce' as source_system,
    'contact' as record_type,
    email_key,
    email_domain,
    lead_source,
    owner_id,
    'salesforce:' || connection_id || ':' || account_id as account_record,
    null::text as converted_contact_id,
    null::text[] as merged_record_ids,
    array_remove(
        array[
            'salesforce:contact:' || contact_id,
            'email:' || email_key,
            'salesforce:contact:' || merged_into_id
        ],
        null
    ) as identifiers,
    merged_into_id is not null as is_merge_loser,
    (not coalesce(is_deleted, false) or merged_into_id is not null)
    and not {{ is_survivor_gone('salesforce', 'contact', 'contacts.contact_id') }} as is_live,
    created_at,
    fetched_at as fallback_created_at
from {{ ref('stg_salesforce__contacts') }} as contacts

union all

select
    connection_id,
    lead_id as record_id,
    record_key,
    load_id,
    connection_id as source_system,
    'lead' as record_type,
    email_key,
    email_domain,
    lead_source,
    rep_id as owner_id,
    connection_id || ':' || connection_id || ':' || account_id as account_record,
    null::text as converted_contact_id,
    null::text[] as merged_record_ids,
    array_remove(
        array[
            'files:lead:' || connection_id || ':' || lead_id,
            'email:' || email_key,
            'files:person:' || person_id_key
        ],
        null
    ) as identifiers,
    false as is_merge_loser,
    true as is_live,
    coalesce(created_at, {{ start_of_day('created_on') }}) as created_at,
    coalesce(
        least(
            mql_at, {{ start_of_day('mql_on') }}, sal_at, {{ start_of_day('sal_on') }},
            sql_at, {{ start_of_day('sql_on') }}, disqualified_at, {{ start_of_day('disqualified_on') }},
            first_response_at, {{ start_of_day('first_response_on') }}
        ),
        {{ as_of_load('first_seen_at') }}
    ) as fallback_created_at
from {{ ref('stg_files__leads') }}

union all

-- A person known only by touches is a person too, from the first touch on.
select
    connection_id,
    coalesce(email_key, person_id_key) as record_id,
    coalesce(email_key, person_id_key) as record_key,
    max(load_id) as load_id,
    connection_id as source_system,
    'contact' as record_type,
    min(email_key) as email_key,
    min(email_domain) as email_domain,
    null::text as lead_source,
    null::text as owner_id,
    null::text as account_record,
    null::text as converted_contact_id,
    null::text[] as merged_record_ids,
    array_remove(
        array[
            'files:contact:' || connection_id || ':' || coalesce(email_key, person_id_key),
            'email:' || min(email_key),
            'files:person:' || min(person_id_key)
        ],
        null
    ) as identifiers,
    false as is_merge_loser,
    true as is_live,
    min(coalesce(touched_at, {{ start_of_day('touched_on') }})) as created_at,
    min(first_seen_at) as fallback_created_at
from {{ ref('stg_files__touches') }}
where coalesce(email_key, person_id_key) is not null
group by connection_id, coalesce(email_key, person_id_key)
