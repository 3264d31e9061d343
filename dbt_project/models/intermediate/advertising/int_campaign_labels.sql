{{ config(unique_key=['label', 'campaign_key', 'is_id']) }}

with

-- Every name that a file ever contained, also in replaced rows: tags keep a name that later exports no longer have.
file_names as (
    select
        coalesce(platform, connection_id) as platform,
        coalesce(ad_account_id, connection_id) as ad_account_id,
        coalesce(campaign_id, campaign_name) as campaign_id,
        lower(campaign_name) as label,
        array_remove(array_agg(distinct stated_channel), null) as stated_channels
    from {{ ref('stg_files__ad_stats') }}
    group by
        coalesce(platform, connection_id),
        coalesce(ad_account_id, connection_id),
        coalesce(campaign_id, campaign_name),
        lower(campaign_name)
),

stated_channels as (
    select
        names.platform,
        names.ad_account_id,
        names.campaign_id,
        array_agg(distinct coalesce(channels.channel, written.channel)) as stated_channels
    from file_names as names
    cross join lateral unnest(names.stated_channels) as written (channel)
    left join {{ ref('channels') }} as channels
        on {{ comparable_name('written.channel') }} = {{ comparable_name('channels.channel') }}
    group by names.platform, names.ad_account_id, names.campaign_id
),

known as (
    select
        campaign_key,
        min(known_platform) as known_platform,
        array_agg(distinct connection_id) as connection_ids
    from {{ ref('int_campaigns') }}
    group by campaign_key
),

campaigns as (
    select
        campaigns.*,
        known.known_platform,
        known.connection_ids,
        stated_channels.stated_channels
    from {{ ref('dim_campaigns') }} as campaigns
    inner join known on campaigns.campaign_key = known.campaign_key
    left join stated_channels
        on
            campaigns.platform = stated_channels.platform
            and campaigns.ad_account_id = stated_channels.ad_account_id
            and campaigns.campaign_id = stated_channels.campaign_id
),

labels as (
    select
        campaign_key,
        lower(campaign_id) as label,
        true as is_id
    from campaigns

    union

    select
        campaign_key,
        lower(campaign_name) as label,
        false as is_id
    from {{ ref('dim_campaigns_history') }}

    union

    select
        campaigns.campaign_key,
        file_names.label,
        false as is_id
    from campaigns
    inner join file_names
        on
            campaigns.platform = file_names.platform
            and campaigns.ad_account_id = file_names.ad_account_id
            and campaigns.campaign_id = file_names.campaign_id
),

final as (
    select
        labels.label,
        campaigns.campaign_key,
        campaigns.known_platform,
        campaigns.channel,
        campaigns.connection_ids,
        campaigns.stated_channels,
        labels.is_id
    from labels
    inner join campaigns on labels.campaign_key = campaigns.campaign_key
    where labels.label is not null
)

select * from final
