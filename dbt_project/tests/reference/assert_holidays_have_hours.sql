{{ config(tags=['full_build']) }}

-- Holidays of a region without its own hours would have no effect.
select calendars.region
from {{ ref('region_calendars') }} as calendars
left join {{ ref('business_hours') }} as hours on calendars.region = hours.region
where hours.region is null
