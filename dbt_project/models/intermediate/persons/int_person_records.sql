{{
    config(
        unique_key=['source_system', 'connection_id', 'record_type', 'record_id'],
        scope_column='person_key',
        track=['person_key'],
        indexes=[
            {'columns': ['person_key']},
            {'columns': ['identifiers'], 'type': 'gin'},
            {'columns': ['account_record']},
            {'columns': ['record_id']},
        ],
    )
}}

{% call scope() %}
select person_key
from {{ this }}
where identifiers && array(
    select touched.identifier
    from {{ ref('int_person_records_unioned') }} as records
    cross join lateral unnest(
        records.identifiers
        || array(
            select 'hubspot:contact:' || records.connection_id || ':' || merged.record_id
            from unnest(records.merged_record_ids) as merged (record_id)
        )
    ) as touched (identifier)
    where {{ is_loaded_since('records.load_id') }}
)
{% endcall %}

with recursive

{% if is_full_build() -%}
read_records as (
    select * from {{ ref('int_person_records_unioned') }}
),
{%- else -%}
-- Records loaded since the last publication, and all records of the persons that they belong to or may now belong to.
touched as (
    select
        source_system,
        connection_id,
        record_type,
        record_id
    from {{ ref('int_person_records_unioned') }}
    where load_id > {{ since_load_id() }}

    union

    select
        source_system,
        connection_id,
        record_type,
        record_id
    from {{ this }}
    where {{ in_scope('person_key') }}
),

read_records as (
    select records.*
    from touched
    inner join {{ ref('int_person_records_unioned') }} as records
        on
            touched.source_system = records.source_system
            and touched.record_type = records.record_type
            and touched.connection_id = records.connection_id
            and touched.record_id = records.record_id
),
{%- endif %}

live_records as (
    select * from read_records
    where is_live
),

-- HubSpot names the merged records only on the survivor.
hubspot_merges as (
    select
        survivors.connection_id,
        survivors.record_id as survivor_id,
        merged.record_id as loser_id
    from live_records as survivors
    cross join lateral unnest(survivors.merged_record_ids) as merged (record_id)
    where merged.record_id <> '' and merged.record_id <> survivors.record_id
),

hubspot_losers as (
    select distinct
        connection_id,
        loser_id
    from hubspot_merges
),

ranked as (
    select
        live_records.*,
        separate.record_id is not null as is_separate,
        -- The first survivor gives the person its key, in whatever order records arrived. Of two as old, the key decides, since
        -- forgetting a person replaces ids and leaves keys (ING-26).
        row_number() over (
            order by
                live_records.is_merge_loser or losers.loser_id is not null,
                coalesce(live_records.created_at, live_records.fallback_created_at),
                live_records.source_system,
                live_records.record_key,
                live_records.connection_id,
                live_records.record_type
        ) as record_no
    from live_records
    left join hubspot_losers as losers
        on
            live_records.source_system = 'hubspot'
            and live_records.connection_id = losers.connection_id
            and live_records.record_id = losers.loser_id
    left join {{ ref('separate_records') }} as separate
        on
            live_records.source_system = separate.source_system
            and live_records.connection_id = separate.connection_id
            and live_records.record_type = separate.record_type
            and live_records.record_id = separate.record_id
),

identified as (
    select
        ranked.record_no,
        named.identifier,
        case
            when named.ordinality = 1 then 'self'
            when named.identifier like 'email:%' then 'e-mail'
            when named.identifier like 'files:%' then 'person id'
            when ranked.source_system = 'hubspot' then 'vendor link'
            when ranked.record_type = 'lead' and named.identifier like 'salesforce:contact:%' then 'conversion'
            else 'merge'
        end as via
    from ranked
    cross join lateral unnest(ranked.identifiers) with ordinality as named (identifier, ordinality)
    where not ranked.is_separate

    union all

    select
        survivors.record_no,
        'hubspot:contact:' || hubspot_merges.connection_id || ':' || hubspot_merges.loser_id as identifier,
        'merge' as via
    from hubspot_merges
    inner join ranked as survivors
        on
            survivors.source_system = 'hubspot'
            and hubspot_merges.connection_id = survivors.connection_id
            and hubspot_merges.survivor_id = survivors.record_id
            and not survivors.is_separate
),

shared as (
    select
        identifier,
        -- Identifiers become nodes next to the records, with negative numbers: joining records directly with each other
        -- would grow with the square of the records of one address.
        -row_number() over (order by identifier) as identifier_no,
        min(record_no) as first_record_no,
        min(via) filter (where via <> 'self') as reason
    from identified
    group by identifier
    having count(*) > 1
),

edges as (
    select
        identified.record_no as from_no,
        shared.identifier_no as to_no
    from identified
    inner join shared on identified.identifier = shared.identifier

    union all

    select
        shared.identifier_no as from_no,
        identified.record_no as to_no
    from identified
    inner join shared on identified.identifier = shared.identifier
),

-- Walks start only where no neighbour has a smaller number: the first record of a person is always one of these.
starts as (
    select identified.record_no
    from identified
    inner join shared on identified.identifier = shared.identifier
    group by identified.record_no
    having min(shared.first_record_no) = identified.record_no
),

reached as (
    select
        record_no as first_no,
        record_no as node_no
    from starts

    union

    select
        reached.first_no,
        edges.to_no as node_no
    from reached
    inner join edges on reached.node_no = edges.from_no
),

persons as (
    select
        node_no as record_no,
        min(first_no) as first_no
    from reached
    where node_no > 0
    group by node_no
),

reasons as (
    select
        identified.record_no,
        string_agg(distinct coalesce(shared.reason, 'e-mail'), ', ' order by coalesce(shared.reason, 'e-mail')) as match_reason
    from identified
    inner join shared on identified.identifier = shared.identifier
    group by identified.record_no
),

born_from_leads as (
    select distinct 'salesforce:contact:' || converted_contact_id as identifier
    from live_records
    where converted_contact_id is not null
),

keyed as (
    select
        ranked.*,
        firsts.record_key as person_key,
        case
            when ranked.is_separate then 'kept apart'
            else coalesce(reasons.match_reason, 'only record')
        end as match_reason,
        born_from_leads.identifier is null as is_counted
    from ranked
    left join persons on ranked.record_no = persons.record_no
    inner join ranked as firsts on coalesce(persons.first_no, ranked.record_no) = firsts.record_no
    left join reasons on ranked.record_no = reasons.record_no
    left join born_from_leads
        on ranked.record_type = 'contact' and ranked.identifiers[1] = born_from_leads.identifier
),

-- A record that was merged before the first load was never loaded, but it was a record of this person.
unseen_losers as (
    select distinct on (hubspot_merges.connection_id, hubspot_merges.loser_id)
        hubspot_merges.connection_id,
        hubspot_merges.loser_id,
        survivors.person_key
    from hubspot_merges
    inner join keyed as survivors
        on
            survivors.source_system = 'hubspot'
            and hubspot_merges.connection_id = survivors.connection_id
            and hubspot_merges.survivor_id = survivors.record_id
    left join ranked as seen
        on
            seen.source_system = 'hubspot'
            and hubspot_merges.connection_id = seen.connection_id
            and hubspot_merges.loser_id = seen.record_id
    where seen.record_id is null
    order by hubspot_merges.connection_id, hubspot_merges.loser_id, survivors.record_no
),

final as (
    select
        person_key,
        record_key,
        source_system,
        connection_id,
        record_type,
        record_id,
        load_id,
        account_record,
        owner_id,
        email_domain,
        lead_source,
        match_reason,
        identifiers
        || array(
            select 'hubspot:contact:' || keyed.connection_id || ':' || merged.record_id
            from unnest(keyed.merged_record_ids) as merged (record_id)
            where merged.record_id <> ''
        ) as identifiers,
        is_counted,
        false as is_unseen,
        created_at is null as is_created_inferred,
        coalesce(created_at, fallback_created_at) as created_at
    from keyed

    union all

    select
        person_key,
        null::text as record_key,
        'hubspot' as source_system,
        connection_id,
        'contact' as record_type,
        loser_id as record_id,
        null::bigint as load_id,
        null::text as account_record,
        null::text as owner_id,
        null::text as email_domain,
        null::text as lead_source,
        'merge' as match_reason,
        array['hubspot:contact:' || connection_id || ':' || loser_id] as identifiers,
        true as is_counted,
        true as is_unseen,
        false as is_created_inferred,
        null::timestamptz as created_at
    from unseen_losers
)

select * from final
