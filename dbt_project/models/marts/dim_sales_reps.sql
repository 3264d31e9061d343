{{ config(unique_key=['rep_key']) }}

with

records as (
    select * from {{ ref('int_sales_rep_records') }}
),

-- Salesforce describes a rep in more detail; HubSpot fills empty columns.
reps as (
    select
        rep_key,
        (array_remove(array_agg(rep_name order by source_system desc, record_id), null))[1] as rep_name,
        (array_remove(array_agg(team order by source_system desc, record_id), null))[1] as team,
        (array_remove(array_agg(region order by source_system desc, record_id), null))[1] as region,
        (array_remove(array_agg(manager_id order by source_system desc, record_id), null))[1] as manager_id,
        (array_remove(array_agg(manager_name order by source_system desc, record_id), null))[1] as manager_name,
        (array_agg(connection_id order by source_system desc, record_id))[1] as connection_id,
        bool_or(is_active) as is_active
    from records
    group by rep_key
),

managers as (
    select
        connection_id,
        record_id,
        rep_name
    from records
    where source_system = 'salesforce'
),

final as (
    select
        reps.rep_key,
        reps.rep_name,
        reps.team,
        coalesce(reps.region, 'Unknown') as region,
        coalesce(managers.rep_name, reps.manager_name) as manager_name,
        reps.is_active
    from reps
    left join managers
        on reps.connection_id = managers.connection_id and reps.manager_id = managers.record_id
)

select * from final
