{#- A number that a document holds as text or number; null where it is neither, so that no vendor's slip stops a build. -#}
{% macro json_number(expression) -%}
    (case when {{ expression }} ~ '^-?[0-9]+(\.[0-9]+)?$' then ({{ expression }})::numeric end)
{%- endmacro %}

{#- The elements of an array in a document; none where it is no array. -#}
{% macro json_elements(expression) -%}
    jsonb_array_elements(case when jsonb_typeof({{ expression }}) = 'array' then {{ expression }} else '[]'::jsonb end)
{%- endmacro %}
