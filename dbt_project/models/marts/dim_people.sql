{{
    config(
        unique_key=['person_key'],
        scope_column='person_key',
        indexes=[{'columns': ['account_key']}],
    )
}}

{% call scope() %}
select person_key from {{ changes('int_person_records') }}
union all
select records.person_key
from {{ ref('stg_files__leads') }} as leads
inner join {{ ref('int_person_records') }} as records
    on records.record_id = leads.lead_id
    and records.connection_id = leads.connection_id
    and records.source_system = leads.connection_id
where {{ is_loaded_since('leads.load_id') }}
union all
select person_key
from {{ ref('int_person_records') }}
where {{ is_touched('account_record', 'int_account_records') }}
union all
select person_key
from {{ this }}
where {{ is_touched('account_key', ['int_account_records', 'dim_accounts']) }}
{% endcall %}

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
            array_agg(email_domain order by created_at nulls last, source_system, record_key), null
        ))[1] as email_domain
    from records
    group by person_key
),

-- A region that a file states for a lead is the customer's; the oldest record decides.
stated_regions as (
    select distinct on (records.person_key)
        records.person_key,
        leads.region
    from records
    inner join {{ ref('stg_files__leads') }} as leads
        on
            records.source_system = leads.connection_id
            and records.connection_id = leads.connection_id
            and records.record_id = leads.lead_id
    where records.record_type = 'lead' and leads.region is not null
    order by records.person_key, records.created_at, records.record_key
),

final as (
    select
        people.person_key,
        accounts.account_key,
        people.email_domain,
        coalesce(stated_regions.region, dim_accounts.region, 'Unknown') as region,
        people.n_records_merged::integer as n_records_merged,
        people.first_seen_at
    from people
    left join accounts on people.person_key = accounts.person_key
    left join stated_regions on people.person_key = stated_regions.person_key
    left join {{ ref('dim_accounts') }} as dim_accounts on accounts.account_key = dim_accounts.account_key
)

select * from final
