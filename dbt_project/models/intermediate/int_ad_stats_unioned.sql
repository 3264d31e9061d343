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
