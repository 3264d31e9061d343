{#- Rows that share their key with another row, or lack a part of it: the view, the key, and the number of rows. -#}
{% macro rows_without_key(relation, name, columns) %}
    select
        '{{ name }}' as view_name,
        jsonb_build_object({% for column in columns %}'{{ column }}', {{ column }}{{ ', ' if not loop.last }}{% endfor %}) as key,
        count(*) as n_rows
    from {{ relation }}
    group by {{ columns | join(', ') }}
    having count(*) > 1 or {{ columns | join(' is null or ') }} is null
{% endmacro %}


{#- The same for every view that states its key as `grain_of_loaded_rows`. -#}
{% macro loaded_rows_without_key() %}
    {%- set stated = [] -%}
    {%- if execute -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'test' and node.test_metadata -%}
            {%- if node.test_metadata.name == 'grain_of_loaded_rows' -%}
                {%- do stated.append((graph.nodes[node.attached_node], node.test_metadata.kwargs.columns)) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {%- for view, columns in stated -%}
        {{ rows_without_key(view.relation_name, view.name, columns) }}
        {% if not loop.last %}union all{% endif %}
    {%- endfor -%}
{% endmacro %}
