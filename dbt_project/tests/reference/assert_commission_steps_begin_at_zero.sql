{{ config(tags=['full_build']) }}

select
    team,
    valid_from,
    min(step_from) as first_step
from {{ ref('commission_plans') }}
group by team, valid_from
having min(step_from) <> 0
