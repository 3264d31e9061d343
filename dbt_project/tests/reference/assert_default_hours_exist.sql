{{ config(tags=['full_build']) }}

select wanted.region as missing_region
from (select '(default)'::text as region) as wanted
left join {{ ref('business_hours') }} as hours on wanted.region = hours.region
where hours.region is null
