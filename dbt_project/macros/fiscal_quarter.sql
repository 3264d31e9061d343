{#- First day of the fiscal quarter of a day, by the variable fiscal_year_start_month. -#}
{% macro fiscal_quarter_start(day) -%}
    {%- set shift = (13 - var('fiscal_year_start_month')) % 12 -%}
    {%- if shift == 0 -%}
        date_trunc('quarter', {{ day }}::timestamp)::date
    {%- else -%}
        (date_trunc('quarter', {{ day }} + interval '{{ shift }} months') - interval '{{ shift }} months')::date
    {%- endif -%}
{%- endmacro %}
