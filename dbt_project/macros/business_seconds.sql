{#-
  Business seconds from the beginning of the calendar to a moment; the difference of two moments is the business time
  between them. `days` is the row of int_business_days for the region and the moment's local day.
-#}
{% macro business_seconds(days, moment) -%}
    (
        {{ days }}.seconds_before
        + greatest(least(extract(epoch from {{ moment }} - {{ days }}.opens_at), {{ days }}.seconds_open), 0)
    )
{%- endmacro %}

{#- The day of a moment in a time zone. -#}
{% macro local_date(moment, time_zone) -%}
    ({{ moment }} at time zone {{ time_zone }})::date
{%- endmacro %}
