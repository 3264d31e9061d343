{{ config(materialized='view') }}

-- No CTEs in this view, so that a join with it can use the indexes of the tables below it.
select
    connection_id,
    ad_account_id,
    campaign_id,
    load_id,
    'google_ads' as source_system,
    'google_ads' as platform,
    null::text as stated_channel,
    '' as split_key,
    currency_code,
    impressions,
    clicks,
    spend_local,
    platform_conversions,
    null::numeric as platform_leads,
    null::numeric as platform_purchases,
    platform_conversion_value as platform_conversion_value_local,
    date_day
from {{ ref('stg_google_ads__campaign_stats') }}

union all

select
    connection_id,
    ad_account_id,
    campaign_id,
    load_id,
    'microsoft_ads' as source_system,
    'microsoft_ads' as platform,
    null::text as stated_channel,
    '' as split_key,
    currency_code,
    impressions,
    clicks,
    spend_local,
    platform_conversions,
    null::numeric as platform_leads,
    null::numeric as platform_purchases,
    platform_conversion_value as platform_conversion_value_local,
    date_day
from {{ ref('stg_microsoft_ads__campaign_stats') }}

union all

-- LinkedIn's statistics name only the campaign, and a campaign always stays in its account. Spend of a campaign without
-- a description has no currency, and the audit stops the publication.
select
    stats.connection_id,
    coalesce(campaigns.ad_account_id, '(unknown account)') as ad_account_id,
    stats.campaign_id,
    stats.load_id,
    'linkedin_ads' as source_system,
    'linkedin_ads' as platform,
    null::text as stated_channel,
    '' as split_key,
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
    stats.one_click_leads as platform_leads,
    null::numeric as platform_purchases,
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

-- A file may split a campaign further within a day. Only amounts of the same currency are summed here.
select
    connection_id,
    ad_account_id,
    campaign_id,
    max(load_id) as load_id,
    connection_id as source_system,
    platform,
    stated_channel,
    coalesce(stated_channel, '') || ' ' || currency_code as split_key,
    currency_code,
    sum(impressions)::bigint as impressions,
    sum(clicks)::bigint as clicks,
    sum(spend_local) as spend_local,
    sum(platform_conversions) as platform_conversions,
    sum(platform_leads) as platform_leads,
    sum(platform_purchases) as platform_purchases,
    sum(platform_conversion_value_local) as platform_conversion_value_local,
    date_day
from {{ ref('int_file_ad_stats') }}
group by connection_id, platform, ad_account_id, campaign_id, stated_channel, currency_code, date_day

union all

select
    insights.connection_id,
    insights.ad_account_id,
    insights.campaign_id,
    insights.load_id,
    'meta_ads' as source_system,
    'meta_ads' as platform,
    null::text as stated_channel,
    '' as split_key,
    insights.currency_code,
    insights.impressions,
    insights.clicks,
    insights.spend_local,
    -- Meta leaves out actions that did not happen.
    coalesce(claimed.platform_conversions, 0) as platform_conversions,
    coalesce(claimed.platform_leads, 0) as platform_leads,
    coalesce(claimed.platform_purchases, 0) as platform_purchases,
    coalesce(claimed_values.platform_conversion_value_local, 0) as platform_conversion_value_local,
    insights.date_day
from {{ ref('stg_meta_ads__insights') }} as insights
cross join
    lateral (
        select
            sum({{ json_number("action.entry ->> 'value'") }}) as platform_conversions,
            sum({{ json_number("action.entry ->> 'value'") }}) filter (where counted.action_type = 'lead') as platform_leads,
            sum({{ json_number("action.entry ->> 'value'") }})
            filter (where counted.action_type = 'purchase') as platform_purchases
        from {{ json_elements('insights.actions') }} as action (entry)
        inner join {{ ref('conversion_actions') }} as counted
            on action.entry ->> 'action_type' = counted.action_type and counted.platform = 'meta_ads'
    ) as claimed
cross join lateral (
    select sum({{ json_number("action.entry ->> 'value'") }}) as platform_conversion_value_local
    from {{ json_elements('insights.action_values') }} as action (entry)
    inner join {{ ref('conversion_actions') }} as counted
        on action.entry ->> 'action_type' = counted.action_type and counted.platform = 'meta_ads'
) as claimed_values
