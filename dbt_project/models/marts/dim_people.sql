{{
    config(
        unique_key=['person_key'],
        scope_column='person_key',
        scope_from=['int_person_records'],
        scope_sql=[
            "select person_key
            from intermediate.int_person_records
            where account_record in (select account_record from marts_changes.int_account_records)",
            "select person_key
            from marts.dim_people
            where account_key in (
                select account_key from marts_changes.int_account_records
                union all
                select account_key from marts_changes.dim_accounts
            )",
        ],
        indexes=[{'columns': ['account_key']}],
    )
}}

with

records as (
    select * from {{ ref('int_person_records') }}
    where {{ in_scope('person_key') }}
),

-- Salesforce's account of the contact, then of the converted lead, then HubSpot's company; the oldest record decides.
accounts as (
    select distinct on (records.person_key)
        records.person_key,
        account_records.account_key
    from records
    inner join {{ ref('int_account_records') }} as account_records
        on records.account_record = account_records.account_record
    order by
        records.person_key,
        case
            when records.source_system = 'salesforce' and records.record_type = 'contact' then 1
            when records.source_system = 'salesforce' then 2
            else 3
        end,
        records.created_at,
        records.record_id
),

people as (
    select
        person_key,
        count(*) filter (where is_counted) as n_records_merged,
        min(created_at) as first_seen_at,
        (array_remove(
            array_agg(email_domain order by created_at nulls last, source_system, record_id), null
        ))[1] as email_domain
    from records
    group by person_key
),

final as (
    select
        people.person_key,
        accounts.account_key,
        people.email_domain,
        coalesce(dim_accounts.region, 'Unknown') as region,
        people.n_records_merged::integer as n_records_merged,
        people.first_seen_at
    from people
    left join accounts on people.person_key = accounts.person_key
    left join {{ ref('dim_accounts') }} as dim_accounts on accounts.account_key = dim_accounts.account_key
)

select * from final
