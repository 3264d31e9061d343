{{ config(materialized='view') }}

select
    regions.region,
    regions.calendar,
    holidays.holiday_name,
    holidays.holiday_date
from {{ ref('region_calendars') }} as regions
inner join {{ ref('holidays') }} as holidays on regions.calendar = holidays.calendar
