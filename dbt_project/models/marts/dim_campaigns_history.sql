{{
    config(
        unique_key=['campaign_version_key'],
        track=['campaign_id', 'campaign_name', 'channel', 'valid_from', 'valid_to'],
        indexes=[{'columns': ['campaign_key']}],
    )
}}

with

campaigns as (
    select
        campaign_key,
        platform,
        ad_account_id,
        campaign_id,
        min(first_seen_date) as first_seen_date
    from {{ ref('int_campaigns') }}
    group by campaign_key, platform, ad_account_id, campaign_id
),

described as (
    select
        platform,
        ad_account_id,
        campaign_id,
        campaign_name,
        campaign_type,
        status,
        fetched_at
    from {{ ref('int_campaign_versions_unioned') }}
),

-- Files name campaigns and describe nothing else of them.
file_versions as (
    select distinct on (
        coalesce(platform, connection_id),
        coalesce(ad_account_id, connection_id),
        coalesce(campaign_id, campaign_name)
    )
        coalesce(platform, connection_id) as platform,
        coalesce(ad_account_id, connection_id) as ad_account_id,
        coalesce(campaign_id, campaign_name) as campaign_id,
        coalesce(campaign_name, campaign_id) as campaign_name,
        null::text as campaign_type,
        null::text as status,
        first_seen_at as fetched_at
    from {{ ref('stg_files__ad_stats') }}
    order by
        coalesce(platform, connection_id),
        coalesce(ad_account_id, connection_id),
        coalesce(campaign_id, campaign_name),
        date_day desc,
        row_key
),

versions as (
    select * from described
    union all
    select * from file_versions
),

-- A fetch describes the day before it, the day being loaded; of several on one day the last one holds.
daily_versions as (
    select distinct on (platform, ad_account_id, campaign_id, (fetched_at at time zone 'UTC')::date)
        *,
        (fetched_at at time zone 'UTC')::date - 1 as described_date
    from versions
    order by platform, ad_account_id, campaign_id, (fetched_at at time zone 'UTC')::date, fetched_at desc
),

changes as (
    select
        *,
        lag(array[campaign_name, campaign_type, status]) over (
            partition by platform, ad_account_id, campaign_id order by described_date
        ) as previous_values,
        row_number() over (partition by platform, ad_account_id, campaign_id order by described_date) as version_no
    from daily_versions
),

placed as (
    select
        campaigns.campaign_key,
        campaigns.platform,
        campaigns.ad_account_id,
        campaigns.campaign_id,
        changes.campaign_name,
        changes.campaign_type,
        changes.status,
        -- Nobody saw what the campaign was before its first fetch: the first version holds from the beginning.
        case
            when coalesce(changes.version_no, 1) = 1 then least(campaigns.first_seen_date, changes.described_date)
            else changes.described_date
        end as valid_from
    from campaigns
    left join changes
        on
            campaigns.platform = changes.platform
            and campaigns.ad_account_id = changes.ad_account_id
            and campaigns.campaign_id = changes.campaign_id
    where
        changes.version_no is null
        or changes.version_no = 1
        or changes.previous_values is distinct from array[changes.campaign_name, changes.campaign_type, changes.status]
),

channelled as (
    select
        placed.*,
        coalesce(exact_rules.channel, platform_rules.channel, 'Paid Other') as channel
    from placed
    left join {{ ref('campaign_channel_rules') }} as exact_rules
        on placed.platform = exact_rules.platform and placed.campaign_type = exact_rules.campaign_type
    left join {{ ref('campaign_channel_rules') }} as platform_rules
        on placed.platform = platform_rules.platform and platform_rules.campaign_type = '*'
),

final as (
    select
        {{ surrogate_key(['campaign_key', 'valid_from']) }} as campaign_version_key,
        campaign_key,
        platform,
        ad_account_id,
        campaign_id,
        campaign_name,
        campaign_type,
        status,
        channel,
        valid_from,
        lead(valid_from) over (partition by campaign_key order by valid_from) as valid_to
    from channelled
)

select * from final
