{#- True if a record was merged into one that no longer exists: then it does not exist either. -#}
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

{#- Deals that were merged into others, with the originals that they were copies of when last seen. -#}
{% macro lost_deals() -%}
    select
        merges.connection_id,
        merges.loser_id as deal_id,
        merges.survivor_id,
        merges.is_survivor_gone,
        deals.salesforce_opportunity_id
    from {{ ref('int_record_merges') }} as merges
    left join {{ ref('stg_hubspot__deals') }} as deals
        on merges.connection_id = deals.connection_id and merges.loser_id = deals.deal_id
    where merges.source_system = 'hubspot' and merges.record_type = 'deal'
{%- endmacro %}
