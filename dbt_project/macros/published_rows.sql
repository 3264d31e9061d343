{#- A table as readers see it (`bi`) or saw it (`bi_history`); empty before the first publication. -#}
{% macro published_rows(schema, mart) -%}
    {%- set published = none -%}
    {%- if execute -%}
        {%- set published = adapter.get_relation(database=target.database, schema=schema, identifier=mart) -%}
    {%- endif -%}
    {%- if published is not none -%}
        {{ published }}
    {%- else -%}
        (select *, null::bigint as publication_id, null::bigint as replaced_by from {{ ref(mart) }} where false)
    {%- endif -%}
{%- endmacro %}

{#- Stands for this build's publication, which has no number yet: it sorts after all numbers. -#}
{% macro coming_publication_id() -%}
    9223372036854775807
{%- endmacro %}
