{{ config(materialized='view') }}

-- If files give a team a plan, all plans of that team come from files.
select
    plan,
    coalesce(team, '(all)') as team,
    step_from,
    lead(step_from) over (partition by plan, team, valid_from order by step_from) as step_to,
    commission_rate,
    coalesce(valid_from, '2000-01-01') as valid_from,
    valid_to
from {{ ref('stg_files__commission_plans') }}

union all

select
    plan,
    team,
    step_from,
    lead(step_from) over (partition by plan, team, valid_from order by step_from) as step_to,
    commission_rate,
    valid_from,
    valid_to
from {{ ref('commission_plans') }}
where team not in (select coalesce(filed.team, '(all)') from {{ ref('stg_files__commission_plans') }} as filed)
