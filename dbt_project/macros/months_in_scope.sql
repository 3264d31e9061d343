{#-
  The condition of a model whose scope is months, on a column of days: the day is in one of the months of this run, or at
  most `days_before` days before it or `days_after` days after it. An array of days lets PostgreSQL use the column's index.
-#}
{% macro in_months_of_scope(day, days_before=0, days_after=0) -%}
    {%- if is_full_build() -%}
        true
    {%- else -%}
        {{ day }} = any(array(
            select days.day_no::date
            from {{ this.identifier }}__scope as months
            cross join lateral generate_series(
                months.scope_key - interval '{{ days_before }} days',
                months.scope_key + interval '1 month' + interval '{{ days_after - 1 }} days',
                interval '1 day'
            ) as days (day_no)
        ))
    {%- endif -%}
{%- endmacro %}

{#- First day of the month of a day. -#}
{% macro month_of(day) -%}
    date_trunc('month', ({{ day }})::timestamp)::date
{%- endmacro %}
