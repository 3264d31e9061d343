{#- A key computed from columns: the same input always gives the same key; null counts as a value of its own. -#}
{% macro surrogate_key(columns) -%}
    md5({% for column in columns %}coalesce({{ column }}::text, '~'){% if not loop.last %} || '|' || {% endif %}{% endfor %})
{%- endmacro %}
