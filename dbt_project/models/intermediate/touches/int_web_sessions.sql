{{
    config(
        unique_key=['date_day', 'property_id', 'tag_key', 'country_id'],
        scope_column='date_day',
        indexes=[
            {'columns': ['tag_key']},
        ],
    )
}}

{% call scope() %}
select date_day from {{ ref('stg_ops__loaded_days') }} where source_name = 'ga4' and stream = 'sessions' and {{ is_loaded_since('load_id') }}
union all
select sessions.date_day
from {{ this }} as sessions
where {{ is_touched('sessions.tag_key', 'int_tag_channels') }}
{% endcall %}

with

-- If two connections read the same property, its newest load counts.
tagged as (
    select distinct on (date_day, property_id, tag_key, country_id) *
    from (
        select
            *,
            {{ tag_key({
                'utm_source': 'session_source', 'utm_medium': 'session_medium', 'utm_campaign': 'campaign_name',
                'utm_id': 'campaign_id', 'channel_group': 'channel_group',
            }) }} as tag_key
        from {{ ref('stg_ga4__sessions') }}
        where {{ in_scope('date_day') }}
    ) as read_sessions
    order by date_day, property_id, tag_key, country_id, load_id desc
),

final as (
    select
        tagged.property_id,
        tagged.tag_key,
        tagged.campaign_id,
        coalesce(tags.campaign_key, '(no campaign)') as campaign_key,
        tagged.campaign_name,
        tagged.country_id,
        coalesce(tags.tagged_channel, 'Unknown') as channel,
        coalesce(regions.region, 'Unknown') as region,
        tagged.sessions,
        tagged.engaged_sessions,
        tagged.users,
        tagged.key_events,
        coalesce(tagged.is_thresholded, false) as is_thresholded,
        coalesce(tagged.has_other_row, false) as has_other_row,
        coalesce(jsonb_array_length(nullif(tagged.samplings, 'null'::jsonb)) > 0, false) as is_sampled,
        tagged.date_day
    from tagged
    left join {{ ref('int_tag_channels') }} as tags on tagged.tag_key = tags.tag_key
    left join {{ ref('country_regions') }} as regions on lower(tagged.country_id) = regions.country
)

select * from final
