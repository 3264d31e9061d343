{#-
  The predicate of a model whose scope is months, over a column of days: the day lies in one of the months of this run,
  or at most `days_before` ahead of one or `days_after` past it. As an array of days the column's index is used.
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
