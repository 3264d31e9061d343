{{ config(materialized='view') }}

select
    {{ surrogate_key(["'salesforce'", 'connection_id', 'user_id']) }} as rep_key,
    'salesforce' as source_system,
    connection_id,
    user_id as record_id,
    user_name as rep_name,
    team,
    region,
    manager_id,
    null::text as manager_name,
    is_active
from {{ ref('stg_salesforce__users') }}

union all

select
    case
        when users_by_email.user_id is not null
            then {{ surrogate_key(["'salesforce'", 'users_by_email.connection_id', 'users_by_email.user_id']) }}
        else {{ surrogate_key(["'hubspot'", 'owners.connection_id', 'owners.owner_id']) }}
    end as rep_key,
    'hubspot' as source_system,
    owners.connection_id,
    owners.owner_id as record_id,
    nullif(trim(coalesce(owners.first_name, '') || ' ' || coalesce(owners.last_name, '')), '') as rep_name,
    owners.teams -> 0 ->> 'name' as team,
    null::text as region,
    null::text as manager_id,
    null::text as manager_name,
    not coalesce(owners.is_archived, false) as is_active
from {{ ref('stg_hubspot__owners') }} as owners
left join (
    -- One address is one rep; if several users have it, the user with the first id gets it.
    select distinct on (email_key)
        email_key,
        connection_id,
        user_id
    from {{ ref('stg_salesforce__users') }}
    where email_key is not null
    order by email_key, connection_id, user_id
) as users_by_email on owners.email_key = users_by_email.email_key

union all

-- A rep whom a file only names is a rep too.
select
    case
        when users_by_email.user_id is not null
            then {{ surrogate_key(["'salesforce'", 'users_by_email.user_connection_id', 'users_by_email.user_id']) }}
        else {{ surrogate_key(['connection_id', 'connection_id', 'rep_id']) }}
    end as rep_key,
    connection_id as source_system,
    connection_id,
    rep_id as record_id,
    coalesce(filed_reps.rep_name, named_reps.rep_name, rep_id) as rep_name,
    filed_reps.team,
    filed_reps.region,
    null::text as manager_id,
    filed_reps.manager_name,
    true as is_active
from {{ ref('stg_files__reps') }} as filed_reps
full outer join (
    select
        connection_id,
        rep_id,
        min(rep_name) as rep_name
    from (
        select
            connection_id,
            rep_id,
            rep_name
        from {{ ref('stg_files__opportunities') }}
        union all
        select
            connection_id,
            rep_id,
            rep_name
        from {{ ref('stg_files__leads') }}
    ) as named
    where rep_id is not null
    group by connection_id, rep_id
) as named_reps using (connection_id, rep_id)
left join (
    select distinct on (email_key)
        email_key,
        connection_id as user_connection_id,
        user_id
    from {{ ref('stg_salesforce__users') }}
    where email_key is not null
    order by email_key, connection_id, user_id
) as users_by_email on filed_reps.email_key = users_by_email.email_key
