{#- Whether a record was merged into one that is gone by now: then it is gone too. -#}
{% macro is_survivor_gone(source_system, record_type, id) -%}
    exists (
        select 1 from {{ ref('int_record_merges') }} as merges
        where
            merges.is_survivor_gone
            and merges.source_system = '{{ source_system }}'
            and merges.record_type = '{{ record_type }}'
            and merges.connection_id = {{ id.partition('.')[0] }}.connection_id
            and merges.loser_id = {{ id }}
    )
{%- endmacro %}
