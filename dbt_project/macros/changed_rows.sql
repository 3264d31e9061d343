{#- The change list of a keyed table, for generic tests of changed rows; none in a full build or for views. -#}
{% macro changed_rows(model) -%}
    {%- if not execute or is_full_build() -%}{{ return(none) }}{%- endif -%}
    {{ return(load_relation(change_list(model))) }}
{%- endmacro %}

{#- Predicate of a test over `tested`: all rows in a full build, the changed ones otherwise, none of an unlisted table. -#}
{% macro in_changed_rows(changes, key) -%}
    {%- if not execute or is_full_build() -%}
        true
    {%- elif changes is none -%}
        false
    {%- else -%}
        ({{ key | join(', ') }}) in (select {{ key | join(', ') }} from {{ changes }})
    {%- endif -%}
{%- endmacro %}
