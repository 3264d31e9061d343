{{ config(materialized='view') }}

-- Without common table expressions, so that a join with this view reaches the indexes below it.
select
    connection_id,
    ad_account_id,
    campaign_id,
    load_id,
    'google_ads' as platform,
    currency_code,
    impressions,
    clicks,
    spend_local,
    platform_conversions,
    platform_conversion_value as platform_conversion_value_local,
    date_day
from {{ ref('stg_google_ads__campaign_stats') }}

union all

select
    connection_id,
    ad_account_id,
    campaign_id,
    load_id,
    'microsoft_ads' as platform,
    currency_code,
    impressions,
    clicks,
    spend_local,
    platform_conversions,
    platform_conversion_value as platform_conversion_value_local,
    date_day
from {{ ref('stg_microsoft_ads__campaign_stats') }}

union all

-- LinkedIn's statistics name the campaign only, and a campaign is of one account for ever. Spend of a campaign that was
-- never described has no currency, and the audit stops the publication.
select
    stats.connection_id,
    coalesce(campaigns.ad_account_id, '(unknown account)') as ad_account_id,
    stats.campaign_id,
    stats.load_id,
    'linkedin_ads' as platform,
    campaigns.currency_code,
    stats.impressions,
    stats.clicks,
    stats.spend_local,
    (
        select sum(action.conversions)
        from (
            values
            ('externalWebsiteConversions', stats.external_website_conversions),
            ('oneClickLeads', stats.one_click_leads)
        ) as action (action_type, conversions)
        inner join {{ ref('conversion_actions') }} as counted
            on action.action_type = counted.action_type and counted.platform = 'linkedin_ads'
    ) as platform_conversions,
    stats.platform_conversion_value as platform_conversion_value_local,
    stats.date_day
from {{ ref('stg_linkedin_ads__campaign_stats') }} as stats
left join (
    select distinct on (versions.connection_id, versions.campaign_id)
        versions.connection_id,
        versions.campaign_id,
        versions.ad_account_id,
        accounts.currency_code
    from {{ ref('stg_linkedin_ads__campaign_versions') }} as versions
    left join {{ ref('stg_linkedin_ads__accounts') }} as accounts
        on versions.connection_id = accounts.connection_id and versions.ad_account_id = accounts.ad_account_id
    order by versions.connection_id, versions.campaign_id, versions.fetched_at desc
) as campaigns using (connection_id, campaign_id)

union all

-- A file may split a campaign further than by day; what is no platform is the source itself.
select
    connection_id,
    coalesce(ad_account_id, connection_id) as ad_account_id,
    coalesce(campaign_id, campaign_name) as campaign_id,
    max(load_id) as load_id,
    coalesce(platform, connection_id) as platform,
    coalesce(max(currency_code), {{ reporting_currency() }}) as currency_code,
    sum(impressions)::bigint as impressions,
    sum(clicks)::bigint as clicks,
    sum(spend_local) as spend_local,
    sum(platform_conversions) as platform_conversions,
    sum(platform_conversion_value_local) as platform_conversion_value_local,
    date_day
from {{ ref('stg_files__ad_stats') }}
group by
    connection_id,
    coalesce(ad_account_id, connection_id),
    coalesce(campaign_id, campaign_name),
    coalesce(platform, connection_id),
    date_day

union all

select
    insights.connection_id,
    insights.ad_account_id,
    insights.campaign_id,
    insights.load_id,
    'meta_ads' as platform,
    insights.currency_code,
    insights.impressions,
    insights.clicks,
    insights.spend_local,
    claimed.platform_conversions,
    claimed.platform_conversion_value_local,
    insights.date_day
from {{ ref('stg_meta_ads__insights') }} as insights
cross join lateral (
    select
        (
            select sum((action.entry ->> 'value')::numeric)
            from jsonb_array_elements(insights.actions) as action (entry)
            inner join {{ ref('conversion_actions') }} as counted
                on action.entry ->> 'action_type' = counted.action_type and counted.platform = 'meta_ads'
        ) as platform_conversions,
        (
            select sum((action.entry ->> 'value')::numeric)
            from jsonb_array_elements(insights.action_values) as action (entry)
            inner join {{ ref('conversion_actions') }} as counted
                on action.entry ->> 'action_type' = counted.action_type and counted.platform = 'meta_ads'
        ) as platform_conversion_value_local
) as claimed
