{{
    config(
        unique_key=['campaign_key'],
        track=['campaign_id'],
    )
}}

with

versions as (
    select * from {{ ref('dim_campaigns_history') }}
),

current_versions as (
    select * from versions
    where valid_to is null
),

first_versions as (
    select
        campaign_key,
        min(valid_from) as first_seen_date
    from versions
    group by campaign_key
),

campaigns as (
    select
        current_versions.campaign_key,
        current_versions.platform,
        current_versions.ad_account_id,
        current_versions.campaign_id,
        current_versions.campaign_name,
        current_versions.campaign_type,
        current_versions.status,
        current_versions.channel,
        first_versions.first_seen_date
    from current_versions
    inner join first_versions on current_versions.campaign_key = first_versions.campaign_key
),

no_campaign as (
    select
        '(no campaign)' as campaign_key,
        '(none)' as platform,
        null::text as ad_account_id,
        '(no campaign)' as campaign_id,
        '(no campaign)' as campaign_name,
        null::text as campaign_type,
        null::text as status,
        'Unknown' as channel,
        null::date as first_seen_date
),

final as (
    select * from campaigns
    union all
    select * from no_campaign
)

select * from final
