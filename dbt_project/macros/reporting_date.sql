{#- The day of a moment in the reporting time zone; correct for days of 23 and 25 hours. -#}
{% macro reporting_date(moment) -%}
    ({{ moment }} at time zone {{ reporting_timezone() }})::date
{%- endmacro %}

{#- The moment at which a day begins in the reporting time zone. -#}
{% macro start_of_day(day) -%}
    ({{ day }}::timestamp at time zone {{ reporting_timezone() }})
{%- endmacro %}

{#- A day without a time sorts after the times of that day: its last millisecond in the reporting time zone. -#}
{% macro end_of_day(day) -%}
    (({{ day }}::timestamp + interval '1 day' - interval '1 millisecond') at time zone {{ reporting_timezone() }})
{%- endmacro %}

{#- The as_of of a load: the end of the last day that was complete when it read. -#}
{% macro as_of_load(first_seen_at) -%}
    {{ end_of_day("(" ~ reporting_date(first_seen_at) ~ " - 1)") }}
{%- endmacro %}

{#- True if a moment is before another; a time is not before a day without a time if it is on that day. -#}
{% macro comes_before(moment, other) -%}
    (
        {{ moment }} < {{ other }}
        and (
            {{ reporting_date(moment) }} < {{ reporting_date(other) }}
            or {{ other }} <> {{ end_of_day(reporting_date(other)) }}
        )
    )
{%- endmacro %}
