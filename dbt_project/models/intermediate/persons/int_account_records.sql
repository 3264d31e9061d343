{{
    config(
        unique_key=['account_record'],
        track=['account_key'],
        indexes=[{'columns': ['account_key']}],
    )
}}

with

salesforce_accounts as (
    select * from {{ ref('stg_salesforce__accounts') }}
),

hubspot_companies as (
    select * from {{ ref('stg_hubspot__companies') }}
    where not coalesce(is_archived, false)
),

filed_accounts as (
    select * from {{ ref('stg_files__accounts') }}
),

-- An account that a file only names is an account too.
named_accounts as (
    select
        connection_id,
        account_id,
        min(first_seen_at) as first_seen_at
    from (
        select
            connection_id,
            account_id,
            first_seen_at
        from {{ ref('stg_files__opportunities') }}
        union all
        select
            connection_id,
            account_id,
            first_seen_at
        from {{ ref('stg_files__leads') }}
        union all
        select
            connection_id,
            account_id,
            first_seen_at
        from {{ ref('stg_files__orders') }}
        union all
        select
            connection_id,
            account_id,
            first_seen_at
        from {{ ref('stg_files__order_lines') }}
    ) as named
    where account_id is not null
    group by connection_id, account_id
),

merged as (
    select * from {{ ref('int_record_merges') }}
    where record_type in ('account', 'company')
),

salesforce_records as (
    select
        'salesforce:' || accounts.connection_id || ':' || accounts.account_id as account_record,
        {{ surrogate_key([
            "'salesforce'", 'accounts.connection_id', 'coalesce(merged.survivor_id, accounts.account_id)'
        ]) }} as account_key,
        'salesforce' as source_system,
        accounts.connection_id,
        accounts.account_id as record_id,
        merged.survivor_id is not null as is_merge_loser,
        accounts.account_name,
        accounts.industry,
        accounts.country,
        accounts.employees,
        accounts.created_at,
        null::text as region,
        nullif(
            split_part(regexp_replace(lower(trim(accounts.website)), '^(https?://)?(www\.)?', ''), '/', 1), ''
        ) as domain
    from salesforce_accounts as accounts
    left join merged
        on
            merged.source_system = 'salesforce'
            and accounts.connection_id = merged.connection_id
            and accounts.account_id = merged.loser_id
    where not coalesce(merged.is_survivor_gone, accounts.is_deleted, false)
),

-- A domain belongs to one account; if several have it, the oldest one gets it. Mail providers' domains do not identify
-- an account.
accounts_by_domain as (
    select distinct on (domain)
        domain,
        account_key
    from salesforce_records
    where
        not is_merge_loser
        and domain is not null
        and domain not in (select email_domain from {{ ref('public_email_domains') }})
    order by domain, created_at, record_id
),

-- Salesforce ids are unique over all organisations, so HubSpot's link needs no connection.
linked as (
    select distinct on (record_id)
        record_id,
        account_key
    from salesforce_records
    order by record_id, connection_id
),

-- A company that was merged into another one is that company, even if the other was never loaded; the survivor is the
-- account that either of them linked to.
companies as (
    select
        companies.connection_id,
        coalesce(merged.loser_id, companies.company_id) as company_id,
        coalesce(merged.survivor_id, companies.company_id) as survivor_id,
        merged.loser_id is not null as is_merge_loser,
        companies.company_name,
        companies.industry,
        companies.country,
        companies.employees,
        companies.created_at,
        companies.salesforce_account_id,
        regexp_replace(lower(trim(companies.domain)), '^www\.', '') as domain
    from hubspot_companies as companies
    left join merged
        on
            merged.source_system = 'hubspot'
            and companies.connection_id = merged.connection_id
            and companies.company_id = merged.loser_id
    where not coalesce(merged.is_survivor_gone, false)

    union all

    select
        merged.connection_id,
        merged.loser_id as company_id,
        merged.survivor_id,
        true as is_merge_loser,
        null::text as company_name,
        null::text as industry,
        null::text as country,
        null::bigint as employees,
        null::timestamptz as created_at,
        null::text as salesforce_account_id,
        null::text as domain
    from merged
    left join hubspot_companies as companies
        on merged.connection_id = companies.connection_id and merged.loser_id = companies.company_id
    where merged.source_system = 'hubspot' and not merged.is_survivor_gone and companies.company_id is null
),

surviving_companies as (
    select
        companies.connection_id,
        companies.survivor_id,
        (
            array_agg(linked.account_key order by companies.is_merge_loser, companies.company_id)
            filter (where linked.account_key is not null)
        )[1] as linked_account_key,
        (
            array_agg(accounts_by_domain.account_key order by companies.is_merge_loser, companies.company_id)
            filter (where accounts_by_domain.account_key is not null)
        )[1] as account_key_of_domain
    from companies
    left join linked
        on companies.salesforce_account_id = linked.record_id
    left join accounts_by_domain
        on companies.domain = accounts_by_domain.domain
    group by companies.connection_id, companies.survivor_id
),

hubspot_records as (
    select
        'hubspot:' || companies.connection_id || ':' || companies.company_id as account_record,
        coalesce(
            survivors.linked_account_key,
            survivors.account_key_of_domain,
            {{ surrogate_key(["'hubspot'", 'companies.connection_id', 'companies.survivor_id']) }}
        ) as account_key,
        'hubspot' as source_system,
        companies.connection_id,
        companies.company_id as record_id,
        companies.is_merge_loser,
        companies.company_name,
        companies.industry,
        companies.country,
        companies.employees,
        companies.created_at,
        null::text as region,
        companies.domain
    from companies
    inner join surviving_companies as survivors
        on companies.connection_id = survivors.connection_id and companies.survivor_id = survivors.survivor_id
),

file_records as (
    select
        connection_id || ':' || connection_id || ':' || account_id as account_record,
        {{ surrogate_key(['connection_id', 'connection_id', 'account_id']) }} as account_key,
        connection_id as source_system,
        connection_id,
        account_id as record_id,
        false as is_merge_loser,
        coalesce(accounts.account_name, account_id) as account_name,
        accounts.industry,
        accounts.country,
        round(accounts.employees)::bigint as employees,
        coalesce(
            accounts.created_at, {{ start_of_day('accounts.created_on') }}, accounts.first_seen_at, named.first_seen_at
        ) as created_at,
        accounts.region,
        nullif(
            split_part(regexp_replace(lower(trim(accounts.website)), '^(https?://)?(www\.)?', ''), '/', 1), ''
        ) as domain
    from filed_accounts as accounts
    full outer join named_accounts as named using (connection_id, account_id)
),

final as (
    select * from salesforce_records
    union all
    select * from hubspot_records
    union all
    select * from file_records
)

select * from final
