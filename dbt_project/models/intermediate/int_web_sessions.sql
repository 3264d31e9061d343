{{
    config(
        unique_key=['date_day', 'property_id', 'tag_key', 'country_id'],
        scope_column='date_day',
        scope_sql=[
            "select date_day from ops.loaded_days where source = 'ga4' and stream = 'sessions' and load_id > {since_load_id}",
            "select sessions.date_day
            from intermediate.int_web_sessions as sessions
            where lower(sessions.campaign_name) = any(array(
                select lower(campaign_name) from marts_changes.dim_campaigns_history
                union
                select lower(campaign_id) from marts_changes.dim_campaigns_history
            ))
            or lower(sessions.campaign_id) = any(array(select lower(campaign_id) from marts_changes.dim_campaigns_history))",
        ],
        indexes=[
            {'columns': ['lower(campaign_name)']},
            {'columns': ['lower(campaign_id)']},
        ],
    )
}}

with

-- A property that two connections read is visited once: its newest load counts.
tagged as (
    select distinct on (date_day, property_id, tag_key, country_id) *
    from (
        select
            *,
            {{ surrogate_key(['channel_group', 'session_source', 'session_medium', 'campaign_id', 'campaign_name']) }}
                as tag_key
        from {{ ref('stg_ga4__sessions') }}
        where {{ in_scope('date_day') }}
    ) as read_sessions
    order by date_day, property_id, tag_key, country_id, load_id desc
),

-- Rules are tried once per distinct set of tags, not once per row.
tags as (
    select distinct
        tag_key,
        channel_group,
        session_source,
        session_medium,
        campaign_id,
        campaign_name
    from tagged
),

labels as (
    select
        platform,
        campaign_key,
        channel,
        lower(campaign_id) as label,
        true as is_id
    from {{ ref('dim_campaigns') }}

    union all

    select
        campaigns.platform,
        campaigns.campaign_key,
        campaigns.channel,
        lower(versions.campaign_name) as label,
        false as is_id
    from {{ ref('dim_campaigns_history') }} as versions
    inner join {{ ref('dim_campaigns') }} as campaigns on versions.campaign_key = campaigns.campaign_key
),

-- As of touches: an id names a campaign only together with its platform; the name may be an id or any name it ever had.
campaign_matches as (
    select
        tags.tag_key,
        labels.campaign_key,
        labels.channel,
        1 as preference
    from tags
    inner join {{ ref('utm_platforms') }} as utm_platforms on lower(tags.session_source) = utm_platforms.utm_source
    inner join labels
        on
            lower(tags.campaign_id) = labels.label
            and utm_platforms.platform = labels.platform
            and labels.is_id

    union all

    select
        tags.tag_key,
        labels.campaign_key,
        labels.channel,
        case when utm_platforms.platform = labels.platform then 2 else 3 end as preference
    from tags
    left join {{ ref('utm_platforms') }} as utm_platforms on lower(tags.session_source) = utm_platforms.utm_source
    inner join labels on lower(tags.campaign_name) = labels.label
),

campaign_tags as (
    select distinct on (tag_key)
        tag_key,
        campaign_key,
        channel
    from campaign_matches
    order by tag_key, preference, campaign_key
),

-- GA4's groups are our channels by name. Where GA4 has none, the business's own rules and then the campaign may know.
ruled as (
    select
        tags.tag_key,
        coalesce(campaign_tags.campaign_key, '(no campaign)') as campaign_key,
        coalesce(channels.channel, by_utm.channel, campaign_tags.channel, 'Unknown') as channel
    from tags
    left join campaign_tags on tags.tag_key = campaign_tags.tag_key
    left join {{ ref('dim_channels') }} as channels on tags.channel_group = channels.channel
    left join lateral (
        select rules.channel
        from {{ ref('channel_rules') }} as rules
        where
            rules.field = 'utm'
            and lower(tags.session_source) ~ coalesce(rules.utm_source_pattern, '')
            and lower(tags.session_medium) ~ coalesce(rules.utm_medium_pattern, '')
        order by rules.priority
        limit 1
    ) as by_utm on true
),

final as (
    select
        tagged.property_id,
        tagged.tag_key,
        tagged.campaign_id,
        ruled.campaign_key,
        tagged.campaign_name,
        tagged.country_id,
        ruled.channel,
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
    inner join ruled on tagged.tag_key = ruled.tag_key
    left join {{ ref('country_regions') }} as regions on lower(tagged.country_id) = regions.country
)

select * from final
