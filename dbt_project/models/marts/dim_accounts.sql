{{ config(unique_key=['account_key'], track=['region']) }}

with

records as (
    select * from {{ ref('int_account_records') }}
),

-- The master CRM describes an account first; the other one fills empty columns.
accounts as (
    select
        account_key,
        (array_agg(record_id order by is_merge_loser, (source_system = {{ master_crm() }}) desc, created_at, record_id))[1]
            as account_id,
        (array_agg(source_system order by is_merge_loser, (source_system = {{ master_crm() }}) desc, created_at, record_id))[1]
            as source_system,
        (
            array_remove(
                array_agg(account_name order by is_merge_loser, (source_system = {{ master_crm() }}) desc, created_at, record_id),
                null
            )
        )[1] as account_name,
        (
            array_remove(
                array_agg(industry order by is_merge_loser, (source_system = {{ master_crm() }}) desc, created_at, record_id),
                null
            )
        )[1] as industry,
        (
            array_remove(
                array_agg(country order by is_merge_loser, (source_system = {{ master_crm() }}) desc, created_at, record_id), null
            )
        )[1] as country,
        (
            array_remove(
                array_agg(employees order by is_merge_loser, (source_system = {{ master_crm() }}) desc, created_at, record_id),
                null
            )
        )[1] as employees,
        (
            array_remove(
                array_agg(region order by is_merge_loser, (source_system = {{ master_crm() }}) desc, created_at, record_id), null
            )
        )[1] as region
    from records
    group by account_key
),

final as (
    select
        accounts.account_key,
        accounts.account_id,
        accounts.account_name,
        case
            when accounts.employees is null then 'unknown'
            when accounts.employees < 50 then 'small'
            when accounts.employees < 1000 then 'mid_market'
            else 'enterprise'
        end as segment,
        accounts.industry,
        coalesce(accounts.region, country_regions.region, 'Unknown') as region,
        accounts.country,
        country_regions.country_code,
        accounts.source_system,
        accounts.employees
    from accounts
    left join {{ ref('country_regions') }} as country_regions
        on lower(trim(accounts.country)) = country_regions.country
)

select * from final
