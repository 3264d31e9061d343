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
        min(known_platform) as known_platform,
        bool_and(is_only_stated) as is_only_stated,
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
        null::text as stated_channel,
        fetched_at,
        (fetched_at at time zone 'UTC')::date - 1 as described_date
    from {{ ref('int_campaign_versions_unioned') }}
),

-- A file names its campaigns day by day. A description by the platform itself takes precedence.
file_versions as (
    select
        platform,
        ad_account_id,
        campaign_id,
        campaign_name,
        null::text as campaign_type,
        null::text as status,
        stated_channel,
        null::timestamptz as fetched_at,
        valid_from as described_date
    from {{ ref('int_file_campaign_versions') }} as filed
    where
        not exists (
            select 1
            from described
            where
                described.platform = filed.platform
                and described.ad_account_id = filed.ad_account_id
                and described.campaign_id = filed.campaign_id
        )
),

versions as (
    select * from described
    union all
    select * from file_versions
),

-- A read describes the day before it, the day being loaded; of several reads on one day the last one counts.
daily_versions as (
    select distinct on (platform, ad_account_id, campaign_id, described_date) *
    from versions
    order by platform, ad_account_id, campaign_id, described_date, fetched_at desc
),

changes as (
    select
        *,
        lag(array[campaign_name, campaign_type, status, stated_channel]) over (
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
        campaigns.known_platform,
        campaigns.is_only_stated,
        case when campaigns.is_only_stated then campaigns.campaign_id else changes.campaign_name end as campaign_name,
        changes.campaign_type,
        changes.status,
        changes.stated_channel,
        -- The state before the first read is unknown: the first version is valid from the beginning.
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
        or changes.previous_values
        is distinct from array[changes.campaign_name, changes.campaign_type, changes.status, changes.stated_channel]
),

channelled as (
    select
        placed.*,
        coalesce(
            placed.stated_channel,
            exact_rules.channel,
            platform_rules.channel,
            -- No platform reports spend for it, so it may be an e-mail as well as an advertisement.
            case when placed.is_only_stated then 'Unknown' else 'Paid Other' end
        ) as channel
    from placed
    left join {{ ref('campaign_channel_rules') }} as exact_rules
        on placed.known_platform = exact_rules.platform and placed.campaign_type = exact_rules.campaign_type
    left join {{ ref('campaign_channel_rules') }} as platform_rules
        on placed.known_platform = platform_rules.platform and platform_rules.campaign_type = '*'
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
