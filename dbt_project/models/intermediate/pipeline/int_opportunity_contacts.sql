{{
    config(
        unique_key=['opportunity_key', 'contact_id'],
        scope_column='opportunity_key',
        track=['person_key'],
        indexes=[{'columns': ['contact_id']}, {'columns': ['person_key']}],
    )
}}

-- Keys are hashes, so the scope also keeps the ids from which they were computed: the query below finds records by
-- them.
{% call scope() %}
select
    {{ surrogate_key(['found.source_system', 'found.connection_id', 'found.opportunity_id']) }},
    found.*
from (
    select
        'salesforce' as source_system,
        connection_id,
        opportunity_id
    from {{ ref('stg_salesforce__opportunities') }}
    where {{ is_loaded_since('load_id') }}
    union
    select
        'salesforce' as source_system,
        connection_id,
        opportunity_id
    from {{ ref('stg_salesforce__opportunity_contact_roles') }}
    where {{ is_loaded_since('load_id') }}
    union
    select
        'hubspot' as source_system,
        connection_id,
        deal_id as opportunity_id
    from {{ ref('stg_hubspot__deals') }}
    where {{ is_loaded_since('load_id') }}
    union
    select
        'hubspot' as source_system,
        connection_id,
        loser_id as opportunity_id
    from {{ changes('int_record_merges') }}
    where source_system = 'hubspot' and record_type = 'deal'
    union
    select
        stored.source_system,
        stored.connection_id,
        stored.opportunity_id
    from {{ changes('int_person_records') }} as changes
    inner join {{ this }} as stored
        on
            changes.record_id = stored.contact_id
            and changes.connection_id = stored.connection_id
            and changes.source_system = stored.source_system
    where changes.record_type = 'contact'
) as found
{% endcall %}

with

opportunities as not materialized (
    select * from {{ ref('stg_salesforce__opportunities') }}
    where not coalesce(is_deleted, false)
),

roles as (
    select * from {{ ref('stg_salesforce__opportunity_contact_roles') }}
    where not coalesce(is_deleted, false)
),

deals as not materialized (
    select deals.* from {{ ref('stg_hubspot__deals') }} as deals
    where
        not coalesce(deals.is_archived, false)
        and not exists (
            select 1 from {{ ref('int_record_merges') }} as merged
            where
                merged.source_system = 'hubspot'
                and merged.record_type = 'deal'
                and merged.connection_id = deals.connection_id
                and merged.loser_id = deals.deal_id
        )
),

{% if is_full_build() -%}
opportunities_in_scope as (
    select * from opportunities
),

deals_in_scope as (
    select * from deals
),
{%- else -%}
opportunities_in_scope as (
    select opportunities.*
    from {{ this.identifier }}__scope as found
    inner join opportunities
        on found.connection_id = opportunities.connection_id and found.opportunity_id = opportunities.opportunity_id
    where found.source_system = 'salesforce'
),

deals_in_scope as (
    select deals.*
    from {{ this.identifier }}__scope as found
    inner join deals
        on found.connection_id = deals.connection_id and found.opportunity_id = deals.deal_id
    where found.source_system = 'hubspot'
),
{%- endif %}

named as (
    select
        'salesforce' as source_system,
        connection_id,
        opportunity_id,
        primary_contact_id as contact_id,
        true as is_primary,
        created_at as named_at
    from opportunities_in_scope
    where primary_contact_id is not null

    union all

    select
        'salesforce' as source_system,
        roles.connection_id,
        roles.opportunity_id,
        roles.contact_id,
        coalesce(roles.is_primary, false) as is_primary,
        roles.created_at as named_at
    from opportunities_in_scope
    inner join roles
        on
            opportunities_in_scope.connection_id = roles.connection_id
            and opportunities_in_scope.opportunity_id = roles.opportunity_id
    where roles.contact_id is not null

    union all

    -- HubSpot does not state since when. Users mark the primary contact with a label of their own.
    select
        'hubspot' as source_system,
        deals_in_scope.connection_id,
        deals_in_scope.deal_id as opportunity_id,
        links.link ->> 'toObjectId' as contact_id,
        jsonb_path_exists(
            links.link, '$.associationTypes[*].label ? (@ like_regex "^primary" flag "i")'
        ) as is_primary,
        deals_in_scope.created_at as named_at
    from deals_in_scope
    cross join lateral jsonb_array_elements(deals_in_scope.contacts) as links (link)
),

contacts as (
    select
        source_system,
        connection_id,
        opportunity_id,
        contact_id,
        bool_or(is_primary) as is_primary,
        min(named_at) as named_at
    from named
    group by source_system, connection_id, opportunity_id, contact_id
),

final as (
    select
        {{ surrogate_key(['contacts.source_system', 'contacts.connection_id', 'contacts.opportunity_id']) }} as opportunity_key,
        records.person_key,
        contacts.connection_id,
        contacts.opportunity_id,
        contacts.contact_id,
        contacts.source_system,
        contacts.is_primary,
        contacts.named_at
    from contacts
    left join {{ ref('int_person_records') }} as records
        on
            contacts.source_system = records.source_system
            and contacts.connection_id = records.connection_id
            and contacts.contact_id = records.record_id
            and records.record_type = 'contact'
)

select * from final
