{{
    config(
        unique_key=['touch_id'],
        scope_column='person_key',
        track=['person_key'],
        indexes=[{'columns': ['person_key']}],
    )
}}

{% call scope() %}
select person_key from {{ changes('int_touches') }}
union all
select person_key from {{ changes('int_person_events') }}
union all
select person_key from {{ changes('dim_people') }}
{% endcall %}

with

touches as (
    select * from {{ ref('int_touches') }}
    where {{ in_scope('person_key') }}
),

events as (
    select * from {{ ref('int_person_events') }}
    where touch_id is not null and {{ in_scope('person_key') }}
),

people as (
    select * from {{ ref('dim_people') }}
    where {{ in_scope('person_key') }}
),

final as (
    select
        touches.touch_id,
        touches.person_key,
        people.account_key,
        events.lead_key,
        touches.campaign_key,
        touches.touch_type,
        touches.channel,
        channels.owner_team,
        people.region,
        touches.source_system,
        touches.is_response,
        touches.is_person_creating,
        touches.touched_at
    from touches
    inner join people on touches.person_key = people.person_key
    left join events on touches.touch_id = events.touch_id
    left join {{ ref('dim_channels') }} as channels on touches.channel = channels.channel
)

select * from final
