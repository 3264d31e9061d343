{{
    config(
        unique_key=['account_record'],
        track=['account_key'],
        indexes=[{'columns': ['account_key']}],
    )
}}

with recursive

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

-- An account that a file merely names is an account too.
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

-- Who swallowed whom, followed to the account that is left.
takeovers as (
    select
        connection_id,
        account_id,
        merged_into_id as survivor_id,
        1 as step
    from salesforce_accounts
    where merged_into_id is not null

    union

    select
        takeovers.connection_id,
        takeovers.account_id,
        winners.merged_into_id as survivor_id,
        takeovers.step + 1 as step
    from takeovers
    inner join salesforce_accounts as winners
        on takeovers.connection_id = winners.connection_id and takeovers.survivor_id = winners.account_id
    where winners.merged_into_id is not null and takeovers.step < 50
),

last_takeovers as (
    select distinct on (connection_id, account_id)
        connection_id,
        account_id,
        survivor_id
    from takeovers
    order by connection_id, account_id, step desc
),

salesforce_records as (
    select
        'salesforce:' || accounts.connection_id || ':' || accounts.account_id as account_record,
        {{ surrogate_key([
            "'salesforce'", 'accounts.connection_id', 'coalesce(last_takeovers.survivor_id, accounts.account_id)'
        ]) }} as account_key,
        'salesforce' as source_system,
        accounts.connection_id,
        accounts.account_id as record_id,
        last_takeovers.survivor_id is not null as is_merge_loser,
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
    left join last_takeovers
        on accounts.connection_id = last_takeovers.connection_id and accounts.account_id = last_takeovers.account_id
    where not coalesce(accounts.is_deleted, false) or accounts.merged_into_id is not null
),

-- A domain names one account; where several claim it, the oldest has it. Mail providers' domains name nobody.
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

hubspot_records as (
    select
        'hubspot:' || companies.connection_id || ':' || companies.company_id as account_record,
        coalesce(
            linked.account_key,
            accounts_by_domain.account_key,
            {{ surrogate_key(["'hubspot'", 'companies.connection_id', 'companies.company_id']) }}
        ) as account_key,
        'hubspot' as source_system,
        companies.connection_id,
        companies.company_id as record_id,
        false as is_merge_loser,
        companies.company_name as account_name,
        companies.industry,
        companies.country,
        companies.employees,
        companies.created_at,
        null::text as region,
        regexp_replace(lower(trim(companies.domain)), '^www\.', '') as domain
    from hubspot_companies as companies
    left join linked
        on companies.salesforce_account_id = linked.record_id
    left join accounts_by_domain
        on regexp_replace(lower(trim(companies.domain)), '^www\.', '') = accounts_by_domain.domain
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
