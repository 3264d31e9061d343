{{ config(tags=['full_build']) }}

select sum(weight) as weights
from {{ ref('friction_weights') }}
having sum(weight) <> 1 or count(*) <> 5
