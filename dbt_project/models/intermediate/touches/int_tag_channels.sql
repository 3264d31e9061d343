{{
    config(
        unique_key=['tag_key'],
        scope_column='tag_key',
        indexes=[
            {'columns': ['lower(utm_campaign)']},
            {'columns': ['lower(utm_id)']},
            {'columns': ['lower(campaign_id)']},
        ],
    )
}}

{% call scope() %}
select tag_key from {{ ref('int_tags_unioned') }} where {{ is_loaded_since('load_id') }}
union all
select tags.tag_key
from {{ this }} as tags
where {{ is_touched('lower(tags.utm_campaign)', 'int_campaign_labels', column='label') }}
or {{ is_touched('lower(tags.utm_id)', 'int_campaign_labels', column='label') }}
or {{ is_touched('lower(tags.campaign_id)', 'int_campaign_labels', column='label') }}
{% endcall %}

with

{% if is_full_build() -%}
tags as (
    select distinct
        tag_key,
        {{ tag_columns() | join(', ') }}
    from {{ ref('int_tags_unioned') }}
),
{%- else -%}
tags as (
    select
        tag_key,
        {{ tag_columns() | join(', ') }}
    from {{ ref('int_tags_unioned') }}
    where load_id > {{ since_load_id() }}
    union
    select
        tag_key,
        {{ tag_columns() | join(', ') }}
    from {{ this }}
    where {{ in_scope('tag_key') }}
),
{%- endif %}

labels as (
    select * from {{ ref('int_campaign_labels') }}
),

known_tags as (
    select
        tags.*,
        utm_platforms.platform as utm_platform
    from tags
    left join {{ ref('utm_platforms') }} as utm_platforms on lower(tags.utm_source) = utm_platforms.utm_source
),

-- The campaign that a file states by id or name, first of its own source. Else utm_id, which identifies a campaign only
-- together with its platform; else utm_campaign, which may hold an id or any name that a campaign ever had.
campaign_matches as (
    select
        known_tags.tag_key,
        labels.campaign_key,
        labels.channel,
        labels.stated_channels,
        case when known_tags.campaign_source = any(labels.connection_ids) then 1 else 2 end as preference,
        not labels.is_id as is_name
    from known_tags
    inner join labels on lower(known_tags.campaign_id) = labels.label

    union all

    select
        known_tags.tag_key,
        labels.campaign_key,
        labels.channel,
        labels.stated_channels,
        3 as preference,
        false as is_name
    from known_tags
    inner join labels
        on lower(known_tags.utm_id) = labels.label and known_tags.utm_platform = labels.known_platform and labels.is_id

    union all

    select
        known_tags.tag_key,
        labels.campaign_key,
        labels.channel,
        labels.stated_channels,
        case when known_tags.utm_platform = labels.known_platform then 4 else 5 end as preference,
        false as is_name
    from known_tags
    inner join labels on lower(known_tags.utm_campaign) = labels.label
    -- A visit from one ad platform does not belong to another platform's campaign of the same name.
    where
        known_tags.utm_platform is null
        or known_tags.utm_platform = labels.known_platform
        or labels.known_platform not in (select platform from {{ ref('utm_platforms') }})
),

campaign_tags as (
    select distinct on (tag_key)
        tag_key,
        campaign_key,
        channel,
        stated_channels
    from campaign_matches
    order by tag_key, preference, is_name, campaign_key
),

ruled as (
    select
        tags.*,
        coalesce(campaign_tags.campaign_key, '(no campaign)') as campaign_key,
        coalesce(stated.channel, tags.stated_channel) as known_channel,
        -- A file may spread one campaign over several channels: the tags then decide, if they name one of them.
        case
            when by_utm.channel = any(campaign_tags.stated_channels) then by_utm.channel
            else nullif(campaign_tags.channel, 'Unknown')
        end as campaign_channel,
        ga4_groups.channel as group_channel,
        by_utm.channel as utm_channel,
        by_analytics.channel as analytics_channel,
        by_lead_source.channel as lead_source_channel
    from tags
    left join campaign_tags on tags.tag_key = campaign_tags.tag_key
    left join {{ ref('channels') }} as stated
        on {{ comparable_name('tags.stated_channel') }} = {{ comparable_name('stated.channel') }}
    left join {{ ref('channels') }} as ga4_groups on tags.channel_group = ga4_groups.channel
    left join lateral (
        select rules.channel
        from {{ ref('channel_rules') }} as rules
        where
            rules.field = 'utm'
            and coalesce(tags.utm_source, tags.utm_medium) is not null
            and lower(coalesce(tags.utm_source, '')) ~ coalesce(rules.utm_source_pattern, '')
            and lower(coalesce(tags.utm_medium, '')) ~ coalesce(rules.utm_medium_pattern, '')
        order by rules.priority
        limit 1
    ) as by_utm on true
    left join lateral (
        select rules.channel
        from {{ ref('channel_rules') }} as rules
        where rules.field = 'analytics_source' and lower(tags.analytics_source) ~ rules.value_pattern
        order by rules.priority
        limit 1
    ) as by_analytics on true
    left join lateral (
        select rules.channel
        from {{ ref('channel_rules') }} as rules
        where rules.field = 'lead_source' and lower(tags.lead_source) ~ rules.value_pattern
        order by rules.priority
        limit 1
    ) as by_lead_source on true
),

final as (
    select
        tag_key,
        campaign_source,
        campaign_id,
        campaign_key,
        stated_channel,
        utm_source,
        utm_medium,
        utm_campaign,
        utm_id,
        channel_group,
        analytics_source,
        lead_source,
        coalesce(known_channel, campaign_channel, group_channel, utm_channel) as tagged_channel,
        coalesce(analytics_channel, lead_source_channel) as source_channel
    from ruled
)

select * from final
