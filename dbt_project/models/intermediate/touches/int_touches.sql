{{
    config(
        unique_key=['touch_id'],
        scope_column='person_key',
        track=['person_key'],
        indexes=[
            {'columns': ['person_key']},
            {'columns': ['event_date']},
            {'columns': ['tag_key']},
        ],
    )
}}

{% call scope() %}
select person_key from {{ changes('int_person_records') }}
union all
select records.person_key
from {{ ref('stg_hubspot__contact_events') }} as events
inner join {{ ref('int_person_records') }} as records
    on records.record_id = events.contact_id
    and records.connection_id = events.connection_id
    and records.source_system = 'hubspot'
where {{ is_loaded_since('events.load_id') }}
union all
select records.person_key
from {{ ref('stg_files__touches') }} as touches
inner join {{ ref('int_person_records') }} as records
    on records.record_id in (touches.lead_id, touches.email_key, touches.person_id_key)
    and records.connection_id = touches.connection_id
    and records.source_system = touches.connection_id
where {{ is_loaded_since('touches.load_id') }}
union all
select records.person_key
from {{ ref('stg_salesforce__campaign_members') }} as members
inner join {{ ref('int_person_records') }} as records
    on records.record_id in (members.lead_id, members.contact_id)
    and records.connection_id = members.connection_id
    and records.source_system = 'salesforce'
where {{ is_loaded_since('members.load_id') }}
union all
select records.person_key
from {{ ref('stg_salesforce__campaigns') }} as campaigns
inner join {{ ref('stg_salesforce__campaign_members') }} as members
    on campaigns.connection_id = members.connection_id and campaigns.campaign_id = members.campaign_id
inner join {{ ref('int_person_records') }} as records
    on records.record_id in (members.lead_id, members.contact_id)
    and records.connection_id = members.connection_id
    and records.source_system = 'salesforce'
where {{ is_loaded_since('campaigns.load_id') }}
union all
select touches.person_key
from {{ this }} as touches
where touches.event_date in (
    select days.date_day from {{ ref('stg_ops__loaded_days') }} as days
    where days.source_name = 'hubspot' and days.stream = 'contact_events' and {{ is_loaded_since('days.load_id') }}
)
union all
select touches.person_key
from {{ this }} as touches
where {{ is_touched('touches.tag_key', 'int_tag_channels') }}
{% endcall %}

with

records as (
    select * from {{ ref('int_person_records') }}
    where {{ in_scope('person_key') }}
),

contacts as (
    select * from {{ ref('stg_hubspot__contacts') }}
),

contact_events as (
    select * from {{ ref('stg_hubspot__contact_events') }}
),

touch_types as (
    select * from {{ ref('touch_types') }}
),

contact_creations as (
    select
        'hubspot:' || records.connection_id || ':contact:' || records.record_id as touch_id,
        records.person_key,
        'contact_created' as event_type,
        'hubspot' as source_system,
        records.connection_id,
        records.record_id,
        {{ tag_key({
            'utm_source': 'contacts.utm_source', 'utm_medium': 'contacts.utm_medium',
            'utm_campaign': 'contacts.utm_campaign', 'utm_id': 'contacts.utm_id',
            'analytics_source': 'contacts.analytics_source',
        }) }} as tag_key,
        null::text as written_type,
        null::text as campaign_type_channel,
        true as is_creation,
        records.is_created_inferred,
        records.created_at as touched_at,
        null::date as event_date
    from records
    inner join contacts
        on records.connection_id = contacts.connection_id and records.record_id = contacts.contact_id
    where records.source_system = 'hubspot' and not records.is_unseen
),

-- Events of merged contacts carry the merged id: the records list it under the survivor's person.
responses as (
    select distinct on (contact_events.connection_id, contact_events.event_id)
        'hubspot:' || contact_events.connection_id || ':event:' || contact_events.event_id as touch_id,
        records.person_key,
        contact_events.event_type,
        'hubspot' as source_system,
        contact_events.connection_id,
        contact_events.contact_id as record_id,
        {{ tag_key({
            'utm_source': 'contact_events.utm_source', 'utm_medium': 'contact_events.utm_medium',
            'utm_campaign': 'contact_events.utm_campaign', 'utm_id': 'contact_events.utm_id',
        }) }} as tag_key,
        null::text as written_type,
        null::text as campaign_type_channel,
        false as is_creation,
        false as is_created_inferred,
        contact_events.occurred_at as touched_at,
        contact_events.occurred_on as event_date
    from records
    inner join contact_events
        on records.connection_id = contact_events.connection_id and records.record_id = contact_events.contact_id
    inner join touch_types
        on contact_events.event_type = touch_types.event_type and touch_types.is_response
    where records.source_system = 'hubspot'
    order by contact_events.connection_id, contact_events.event_id, contact_events.load_id desc
),

first_records as (
    select distinct on (person_key) *
    from records
    where not is_unseen
    order by person_key, created_at, source_system, record_key
),

crm_creations as (
    select
        'salesforce:' || connection_id || ':' || record_type || ':' || record_id as touch_id,
        person_key,
        'crm_record' as event_type,
        source_system,
        connection_id,
        record_id,
        {{ tag_key({'lead_source': 'lead_source'}) }} as tag_key,
        null::text as written_type,
        null::text as campaign_type_channel,
        true as is_creation,
        is_created_inferred,
        created_at as touched_at,
        null::date as event_date
    from first_records
    where source_system = 'salesforce'
),

-- A lead in a file counts as a response.
file_leads as (
    select
        records.source_system || ':' || records.connection_id || ':lead:' || records.record_id as touch_id,
        records.person_key,
        'file_lead' as event_type,
        records.source_system,
        records.connection_id,
        records.record_id,
        {{ tag_key(tags_of_files('leads', has_lead_source=true)) }} as tag_key,
        null::text as written_type,
        null::text as campaign_type_channel,
        true as is_creation,
        records.is_created_inferred,
        records.created_at as touched_at,
        null::date as event_date
    from records
    inner join {{ ref('stg_files__leads') }} as leads
        on
            records.source_system = leads.connection_id
            and records.connection_id = leads.connection_id
            and records.record_id = leads.lead_id
    where records.record_type = 'lead'
),

file_touches as (
    select
        records.source_system || ':' || records.connection_id || ':touch:' || touches.row_key as touch_id,
        records.person_key,
        'file_touch' as event_type,
        records.source_system,
        records.connection_id,
        records.record_id,
        {{ tag_key(tags_of_files('touches')) }} as tag_key,
        touches.touch_type as written_type,
        null::text as campaign_type_channel,
        false as is_creation,
        false as is_created_inferred,
        coalesce(touches.touched_at, {{ start_of_day('touches.touched_on') }}) as touched_at,
        null::date as event_date
    from records
    inner join {{ ref('stg_files__touches') }} as touches
        on
            records.source_system = touches.connection_id
            and records.connection_id = touches.connection_id
            and records.record_id = coalesce(touches.email_key, touches.person_id_key, touches.lead_id)
    where
        records.record_type
        = case when coalesce(touches.email_key, touches.person_id_key) is null then 'lead' else 'contact' end
),

-- Members of Salesforce campaigns; those who were only sent something did not respond. A response has a day; it gets a
-- time if it is the day of the membership. A converted lead's membership names lead and contact: the lead is used.
responded as (
    select
        records.person_key,
        records.record_id,
        members.*
    from records
    inner join {{ ref('stg_salesforce__campaign_members') }} as members
        on records.connection_id = members.connection_id and records.record_id = members.lead_id
    where records.source_system = 'salesforce' and records.record_type = 'lead'

    union all

    select
        records.person_key,
        records.record_id,
        members.*
    from records
    inner join {{ ref('stg_salesforce__campaign_members') }} as members
        on records.connection_id = members.connection_id and records.record_id = members.contact_id
    where records.source_system = 'salesforce' and records.record_type = 'contact' and members.lead_id is null
),

campaign_responses as (
    select
        'salesforce:' || responded.connection_id || ':member:' || responded.member_id as touch_id,
        responded.person_key,
        'campaign_response' as event_type,
        'salesforce' as source_system,
        responded.connection_id,
        responded.record_id,
        null::text as tag_key,
        null::text as written_type,
        coalesce(rules.channel, any_type.channel, 'Unknown') as campaign_type_channel,
        false as is_creation,
        false as is_created_inferred,
        case
            when
                responded.first_responded_on is null
                or responded.first_responded_on = {{ reporting_date('responded.created_at') }}
                then responded.created_at
            else {{ start_of_day('responded.first_responded_on') }}
        end as touched_at,
        null::date as event_date
    from responded
    left join {{ ref('stg_salesforce__campaigns') }} as campaigns
        on responded.connection_id = campaigns.connection_id and responded.campaign_id = campaigns.campaign_id
    left join {{ ref('campaign_channel_rules') }} as rules
        on rules.platform = 'salesforce' and lower(campaigns.campaign_type) = lower(rules.campaign_type)
    left join {{ ref('campaign_channel_rules') }} as any_type
        on any_type.platform = 'salesforce' and any_type.campaign_type = '*'
    where
        responded.has_responded
        and not coalesce(responded.is_deleted, false)
        and coalesce(responded.created_at, responded.first_responded_on) is not null
),

unioned as (
    select * from contact_creations
    union all
    select * from responses
    union all
    select * from crm_creations
    union all
    select * from file_leads
    union all
    select * from file_touches
    union all
    select * from campaign_responses
),

attributed as (
    select
        unioned.*,
        coalesce(unioned.written_type, touch_types.touch_type) as touch_type,
        touch_types.is_response,
        coalesce(tags.campaign_key, '(no campaign)') as campaign_key,
        coalesce(
            tags.tagged_channel,
            unioned.campaign_type_channel,
            touch_types.channel,
            tags.source_channel,
            'Unknown'
        ) as channel,
        coalesce(
            unioned.is_creation
            and row_number() over (
                partition by unioned.person_key, unioned.is_creation
                order by unioned.touched_at, unioned.source_system, unioned.touch_id
            ) = 1,
            false
        ) as is_person_creating
    from unioned
    inner join touch_types on unioned.event_type = touch_types.event_type
    left join {{ ref('int_tag_channels') }} as tags on unioned.tag_key = tags.tag_key
),

final as (
    select
        touch_id,
        person_key,
        campaign_key,
        source_system,
        connection_id,
        record_id,
        event_type,
        touch_type,
        channel,
        tag_key,
        is_response,
        is_person_creating,
        is_created_inferred,
        touched_at,
        event_date
    from attributed
)

select * from final
