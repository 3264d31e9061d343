{#- Rows that share their key with another, or lack a part of it: the view, the key, and how many rows have it. -#}
{% macro rows_without_key(relation, name, columns) %}
    select
        '{{ name }}' as view_name,
        jsonb_build_object({% for column in columns %}'{{ column }}', {{ column }}{{ ', ' if not loop.last }}{% endfor %}) as key,
        count(*) as n_rows
    from {{ relation }}
    group by {{ columns | join(', ') }}
    having count(*) > 1 or {{ columns | join(' is null or ') }} is null
{% endmacro %}
