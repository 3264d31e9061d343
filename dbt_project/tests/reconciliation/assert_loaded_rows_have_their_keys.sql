-- One row per key of every view of raw rows that states one as grain_of_loaded_rows. Full builds only: loads hold raw rows
-- to the vendors' own keys, so what a view can break, the project breaks.
-- depends_on: {{ ref('stg_statistics__frictions') }}
{{ config(tags=['full_build']) }}
{%- set stated = [] -%}
{%- for node in graph.nodes.values() if execute and node.resource_type == 'test' -%}
    {%- if node.test_metadata and node.test_metadata.name == 'grain_of_loaded_rows' -%}
        {%- do stated.append((graph.nodes[node.attached_node], node.test_metadata.kwargs.columns)) -%}
    {%- endif -%}
{%- endfor %}

{% for view, columns in stated %}
    {{ rows_without_key(view.relation_name, view.name, columns) }}
    {% if not loop.last %}union all{% endif %}
{% endfor %}
{% if not stated %}select 1 as nothing_stated{% endif %}
