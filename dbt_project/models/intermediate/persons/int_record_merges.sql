{{
    config(
        unique_key=['source_system', 'record_type', 'connection_id', 'loser_id'],
        track=['survivor_id'],
        indexes=[{'columns': ['survivor_id']}, {'columns': ['loser_id']}],
    )
}}

with recursive

{%- set survivors = [
    ('contact', 'stg_hubspot__contacts', 'contact_id', 'merged_contact_ids'),
    ('company', 'stg_hubspot__companies', 'company_id', 'merged_company_ids'),
    ('deal', 'stg_hubspot__deals', 'deal_id', 'merged_deal_ids'),
] %}
{%- set losers = [
    ('lead', 'stg_salesforce__leads', 'lead_id'),
    ('contact', 'stg_salesforce__contacts', 'contact_id'),
    ('account', 'stg_salesforce__accounts', 'account_id'),
] %}

-- HubSpot names the merged records on the survivor, Salesforce names the survivor on the merged record.
named as (
    {%- for record_type, model, id, merged_ids in survivors %}
    select
        'hubspot' as source_system,
        '{{ record_type }}' as record_type,
        survivors.connection_id,
        merged.record_id as loser_id,
        survivors.{{ id }} as survivor_id
    from {{ ref(model) }} as survivors
    cross join lateral unnest(string_to_array(replace(survivors.{{ merged_ids }}, ' ', ''), ';')) as merged (record_id)
    where survivors.{{ merged_ids }} is not null and merged.record_id not in ('', survivors.{{ id }})

    union
    {% endfor %}
    {%- for record_type, model, id in losers %}
    select
        'salesforce' as source_system,
        '{{ record_type }}' as record_type,
        connection_id,
        {{ id }} as loser_id,
        merged_into_id as survivor_id
    from {{ ref(model) }}
    where merged_into_id is not null and merged_into_id <> {{ id }}
    {% if not loop.last %}
    union
    {% endif %}
    {%- endfor %}
),

-- `union` drops records that were already reached, so that records which name each other in a circle end the recursion.
reached as (
    select * from named

    union

    select
        reached.source_system,
        reached.record_type,
        reached.connection_id,
        reached.loser_id,
        further.survivor_id
    from reached
    inner join named as further
        on
            reached.source_system = further.source_system
            and reached.record_type = further.record_type
            and reached.connection_id = further.connection_id
            and reached.survivor_id = further.loser_id
),

-- The survivor is the record that was merged into no other; in a circle, the smallest id.
ends as (
    select
        reached.source_system,
        reached.record_type,
        reached.connection_id,
        reached.loser_id,
        coalesce(
            min(reached.survivor_id) filter (where further.loser_id is null), min(reached.survivor_id)
        ) as survivor_id
    from reached
    left join (
        select distinct
            source_system,
            record_type,
            connection_id,
            loser_id
        from named
    ) as further
        on
            reached.source_system = further.source_system
            and reached.record_type = further.record_type
            and reached.connection_id = further.connection_id
            and reached.survivor_id = further.loser_id
    group by reached.source_system, reached.record_type, reached.connection_id, reached.loser_id
),

gone as (
    {%- for record_type, model, id, merged_ids in survivors %}
    select
        'hubspot' as source_system,
        '{{ record_type }}' as record_type,
        connection_id,
        {{ id }} as record_id
    from {{ ref(model) }}
    where is_archived

    union all
    {% endfor %}
    {%- for record_type, model, id in losers %}
    select
        'salesforce' as source_system,
        '{{ record_type }}' as record_type,
        connection_id,
        {{ id }} as record_id
    from {{ ref(model) }}
    where is_deleted and merged_into_id is null
    {% if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
),

final as (
    select
        ends.source_system,
        ends.record_type,
        ends.connection_id,
        ends.loser_id,
        ends.survivor_id,
        gone.record_id is not null as is_survivor_gone
    from ends
    left join gone
        on
            ends.source_system = gone.source_system
            and ends.record_type = gone.record_type
            and ends.connection_id = gone.connection_id
            and ends.survivor_id = gone.record_id
    where ends.loser_id <> ends.survivor_id
)

select * from final
