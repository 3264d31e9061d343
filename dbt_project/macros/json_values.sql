{#- A number that a document holds as text or number, else null, so that a vendor's mistake does not stop a build. -#}
{% macro json_number(expression) -%}
    (case when {{ expression }} ~ '^-?[0-9]+(\.[0-9]+)?$' then ({{ expression }})::numeric end)
{%- endmacro %}

{#- The elements of an array in a document; none if it is not an array. -#}
{% macro json_elements(expression) -%}
    jsonb_array_elements(case when jsonb_typeof({{ expression }}) = 'array' then {{ expression }} else '[]'::jsonb end)
{%- endmacro %}
