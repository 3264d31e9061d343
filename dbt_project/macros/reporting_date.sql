{#- The day of a moment in the reporting time zone; days of 23 and 25 hours come out right. -#}
{% macro reporting_date(moment) -%}
    ({{ moment }} at time zone {{ reporting_timezone() }})::date
{%- endmacro %}

{#- The moment at which a day begins in the reporting time zone. -#}
{% macro start_of_day(day) -%}
    ({{ day }}::timestamp at time zone {{ reporting_timezone() }})
{%- endmacro %}
