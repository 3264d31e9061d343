{{ config(tags=['full_build']) }}

-- Holidays of a region without hours of its own would be read by nobody.
select calendars.region
from {{ ref('region_calendars') }} as calendars
left join {{ ref('business_hours') }} as hours on calendars.region = hours.region
where hours.region is null
