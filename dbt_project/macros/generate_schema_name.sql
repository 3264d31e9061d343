{#- The schema of a node is the one its layer names, without a prefix: one warehouse, one set of schemas. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
