{{ config(materialized='view') }}

-- No CTEs in this view, so that a join with it can use the indexes of the tables below it. Rows without a platform or
-- account get the source itself. If a later file names a campaign differently on the same day, the campaign was
-- renamed: only the later file's row counts.
select
    stats.connection_id,
    stats.row_key,
    coalesce(stats.platform, stats.connection_id) as platform,
    coalesce(stats.ad_account_id, stats.connection_id) as ad_account_id,
    coalesce(stats.campaign_id, stats.campaign_name) as campaign_id,
    coalesce(stats.campaign_name, stats.campaign_id) as campaign_name,
    stats.load_id,
    coalesce(channels.channel, stats.stated_channel) as stated_channel,
    coalesce(stats.currency_code, {{ reporting_currency() }}) as currency_code,
    stats.impressions,
    stats.clicks,
    stats.spend_local,
    stats.platform_conversions,
    stats.platform_leads,
    stats.platform_purchases,
    stats.platform_conversion_value_local,
    stats.date_day
from {{ ref('stg_files__ad_stats') }} as stats
left join {{ ref('channels') }} as channels
    on {{ comparable_name('stats.stated_channel') }} = {{ comparable_name('channels.channel') }}
where
    not exists (
        select 1
        from {{ ref('stg_files__ad_stats') }} as later
        where
            later.connection_id = stats.connection_id
            and later.date_day = stats.date_day
            and later.platform is not distinct from stats.platform
            and later.ad_account_id is not distinct from stats.ad_account_id
            and later.campaign_id = stats.campaign_id
            and later.stated_channel is not distinct from stats.stated_channel
            and later.campaign_name is distinct from stats.campaign_name
            and later.file_order > stats.file_order
    )
