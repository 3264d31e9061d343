{{ config(tags=['full_build']) }}

select chosen.calendar as unknown_calendar
from (select '{{ var("business_calendar") }}'::text as calendar) as chosen
left join {{ ref('holidays') }} as holidays on chosen.calendar = holidays.calendar
where chosen.calendar <> 'weekends' and holidays.calendar is null
