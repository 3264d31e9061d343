{{
    config(
        unique_key=['opportunity_key', 'contact_id'],
        scope_column='opportunity_key',
        scope_sql=[
            "select md5('salesforce' || '|' || connection_id || '|' || opportunity_id)
            from staging.stg_salesforce__opportunities
            where load_id > {since_load_id}",
            "select md5('salesforce' || '|' || connection_id || '|' || opportunity_id)
            from staging.stg_salesforce__opportunity_contact_roles
            where load_id > {since_load_id}",
            "select stored.opportunity_key
            from marts_changes.int_person_records as changes
            inner join intermediate.int_opportunity_contacts as stored
                on changes.record_id = stored.contact_id and changes.connection_id = stored.connection_id
            where changes.source_system = 'salesforce' and changes.record_type = 'contact'",
        ],
        track=['person_key'],
        indexes=[{'columns': ['contact_id']}, {'columns': ['person_key']}],
    )
}}

with

opportunities as not materialized (
    select * from {{ ref('stg_salesforce__opportunities') }}
    where not coalesce(is_deleted, false)
),

roles as (
    select * from {{ ref('stg_salesforce__opportunity_contact_roles') }}
    where not coalesce(is_deleted, false)
),

{% if is_full_build() -%}
opportunities_in_scope as (
    select * from opportunities
),
{%- else -%}
-- Keys are hashes, so the scope reaches the vendor's ids through what was loaded or stored.
ids_in_scope as (
    select
        connection_id,
        opportunity_id
    from {{ ref('stg_salesforce__opportunities') }}
    where load_id > {{ since_load_id() }}
    union
    select
        connection_id,
        opportunity_id
    from {{ ref('stg_salesforce__opportunity_contact_roles') }}
    where load_id > {{ since_load_id() }}
    union
    select
        connection_id,
        opportunity_id
    from {{ this }}
    where {{ in_scope('opportunity_key') }}
),

opportunities_in_scope as (
    select opportunities.*
    from ids_in_scope
    inner join opportunities
        on
            ids_in_scope.connection_id = opportunities.connection_id
            and ids_in_scope.opportunity_id = opportunities.opportunity_id
),
{%- endif %}

named as (
    select
        connection_id,
        opportunity_id,
        primary_contact_id as contact_id,
        true as is_primary,
        created_at as named_at
    from opportunities_in_scope
    where primary_contact_id is not null

    union all

    select
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
),

contacts as (
    select
        connection_id,
        opportunity_id,
        contact_id,
        bool_or(is_primary) as is_primary,
        min(named_at) as named_at
    from named
    group by connection_id, opportunity_id, contact_id
),

final as (
    select
        {{ surrogate_key(["'salesforce'", 'contacts.connection_id', 'contacts.opportunity_id']) }} as opportunity_key,
        records.person_key,
        contacts.connection_id,
        contacts.opportunity_id,
        contacts.contact_id,
        contacts.is_primary,
        contacts.named_at
    from contacts
    left join {{ ref('int_person_records') }} as records
        on
            contacts.connection_id = records.connection_id
            and contacts.contact_id = records.record_id
            and records.source_system = 'salesforce'
            and records.record_type = 'contact'
)

select * from final
