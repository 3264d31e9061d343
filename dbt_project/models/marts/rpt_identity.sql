{{
    config(
        unique_key=['source_system', 'connection_id', 'record_type', 'record_id'],
        scope_column='person_key',
        track=['person_key'],
        indexes=[{'columns': ['person_key']}],
    )
}}

{% call scope() %}
select person_key from {{ changes('int_person_records') }}
union all
select person_key from {{ changes('dim_people') }}
{% endcall %}

with

records as (
    select * from {{ ref('int_person_records') }}
    where {{ in_scope('person_key') }}
),

people as (
    select * from {{ ref('dim_people') }}
    where {{ in_scope('person_key') }}
),

final as (
    select
        records.person_key,
        records.connection_id,
        records.record_id,
        people.region,
        records.source_system,
        records.record_type,
        records.match_reason,
        (count(*) over (partition by records.person_key))::integer as n_records,
        records.is_counted,
        records.is_unseen,
        coalesce(records.record_key = records.person_key, false) as is_key_record,
        records.created_at
    from records
    inner join people on records.person_key = people.person_key
)

select * from final
