{{ config(materialized='view') }}

select
    plan,
    team,
    step_from,
    lead(step_from) over (partition by plan, team, valid_from order by step_from) as step_to,
    commission_rate,
    valid_from,
    valid_to
from {{ ref('commission_plans') }}
