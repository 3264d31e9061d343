-- Every existing record belongs to one person, every person has records and opens at least one cycle, and every opened
-- cycle is one row of fct_leads.

with

lost_records as (
    select
        'record without a person' as problem,
        records.source_system || ' ' || records.record_type || ' ' || records.record_id as key
    from {{ ref('int_person_records_unioned') }} as records
    left join {{ ref('int_person_records') }} as matched
        on
            records.source_system = matched.source_system
            and records.connection_id = matched.connection_id
            and records.record_type = matched.record_type
            and records.record_id = matched.record_id
            and not matched.is_unseen
    where
        {{ is_loaded_since('records.load_id') }}
        and (
            (records.is_live and matched.record_id is null)
            or (not records.is_live and matched.record_id is not null)
        )
),

lost_people as (
    select
        'person without a row in dim_people' as problem,
        records.person_key as key
    from {{ ref('int_person_records') }} as records
    left join {{ ref('dim_people') }} as people on records.person_key = people.person_key
    where
        {{ is_touched('records.person_key', 'int_person_records') }}
        and people.person_key is null
),

people_without_records as (
    select
        'person without a record' as problem,
        people.person_key as key
    from {{ ref('dim_people') }} as people
    where
        {{ is_touched('people.person_key', ['dim_people', 'int_person_records']) }}
        and not exists (
            select 1 from {{ ref('int_person_records') }} as records
            where records.person_key = people.person_key
        )
),

people_without_leads as (
    select
        'person without a lead cycle' as problem,
        people.person_key as key
    from {{ ref('dim_people') }} as people
    where
        {{ is_touched('people.person_key', 'dim_people') }}
        and not exists (
            select 1 from {{ ref('fct_leads') }} as leads
            where leads.person_key = people.person_key
        )
),

opened as (
    select lead_key
    from {{ ref('int_person_events') }}
    where starts_cycle and {{ is_touched('person_key', ['int_person_events', 'fct_leads']) }}
),

counted as (
    select lead_key
    from {{ ref('fct_leads') }}
    where {{ is_touched('person_key', ['int_person_events', 'fct_leads']) }}
),

lost_cycles as (
    select
        'cycle without a lead, or lead without a cycle' as problem,
        coalesce(opened.lead_key, counted.lead_key) as key
    from opened
    full outer join counted on opened.lead_key = counted.lead_key
    where opened.lead_key is null or counted.lead_key is null
)

select * from lost_records
union all
select * from lost_people
union all
select * from people_without_records
union all
select * from people_without_leads
union all
select * from lost_cycles
