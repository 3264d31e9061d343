{{
    config(
        unique_key=['connection_id', 'platform', 'ad_account_id', 'campaign_id'],
        indexes=[{'columns': ['campaign_key']}],
    )
}}
-- depends_on: {{ ref('stg_ops__loaded_days') }}
-- depends_on: {{ ref('stg_files__ad_stats') }}

with

-- Platforms by all the names that tags and files use for them.
platforms as (
    select
        {{ comparable_name('utm_source') }} as platform_name,
        platform as known_platform
    from {{ ref('utm_platforms') }}
    union
    select
        {{ comparable_name('platform') }} as platform_name,
        platform as known_platform
    from {{ ref('utm_platforms') }}
),

stats as not materialized (
    select * from {{ ref('int_ad_stats_unioned') }}
),

described as (
    select
        connection_id,
        platform,
        ad_account_id,
        campaign_id,
        min(fetched_at) as first_described_at
    from {{ ref('int_campaign_versions_unioned') }}
    group by connection_id, platform, ad_account_id, campaign_id
),

{% if is_full_build() -%}
reported as (
    select
        connection_id,
        platform,
        ad_account_id,
        campaign_id,
        min(date_day) as first_reported_date
    from stats
    group by connection_id, platform, ad_account_id, campaign_id
),
{%- else -%}
read_days as (
    select date_day
    from {{ ref('stg_ops__loaded_days') }}
    where
        (source_name, stream) in {{ ad_stats_streams() }}
        and load_id > {{ since_load_id() }}
    union
    select date_day
    from {{ ref('stg_files__ad_stats') }}
    where load_id > {{ since_load_id() }}
),

read_stats as (
    select
        connection_id,
        platform,
        ad_account_id,
        campaign_id,
        date_day
    from stats
    where date_day = any(array(select date_day from read_days))
),

-- The first day may have been retracted by a new read; only then the campaign's other days must be searched.
known_first_days as (
    select
        known.connection_id,
        known.platform,
        known.ad_account_id,
        known.campaign_id,
        case
            when known.first_reported_date not in (select date_day from read_days) then known.first_reported_date
            when not exists (
                select 1
                from read_stats
                where
                    read_stats.connection_id = known.connection_id
                    and read_stats.platform = known.platform
                    and read_stats.ad_account_id = known.ad_account_id
                    and read_stats.campaign_id = known.campaign_id
                    and read_stats.date_day = known.first_reported_date
            ) then (
                select min(stats.date_day)
                from stats
                where
                    stats.connection_id = known.connection_id
                    and stats.platform = known.platform
                    and stats.ad_account_id = known.ad_account_id
                    and stats.campaign_id = known.campaign_id
            )
        end as date_day
    from {{ this }} as known
    where known.first_reported_date is not null
),

reported as (
    select
        connection_id,
        platform,
        ad_account_id,
        campaign_id,
        min(date_day) as first_reported_date
    from (
        select * from read_stats
        union all
        select * from known_first_days
    ) as days
    where date_day is not null
    group by connection_id, platform, ad_account_id, campaign_id
),
{%- endif %}

known as (
    select
        connection_id,
        platform,
        ad_account_id,
        campaign_id,
        -- A fetch describes the day before it, the day being loaded.
        least(
            reported.first_reported_date,
            (described.first_described_at at time zone 'UTC')::date - 1
        ) as first_seen_date,
        reported.first_reported_date,
        false as is_only_stated
    from described
    full outer join reported using (connection_id, platform, ad_account_id, campaign_id)
),

-- Files may name campaigns that no platform or statistics contain: they become campaigns of that source.
stated as (
    select
        connection_id,
        min(campaign_id) as campaign_id,
        min(stated_date) as first_seen_date
    from (
        select
            connection_id,
            campaign_id,
            coalesce((created_at at time zone 'UTC')::date, created_on, (first_seen_at at time zone 'UTC')::date) as stated_date
        from {{ ref('stg_files__leads') }}
        where campaign_id is not null

        union all

        select
            connection_id,
            campaign_id,
            coalesce((created_at at time zone 'UTC')::date, created_on, (first_seen_at at time zone 'UTC')::date) as stated_date
        from {{ ref('stg_files__opportunities') }}
        where campaign_id is not null

        union all

        select
            connection_id,
            campaign_id,
            coalesce((ordered_at at time zone 'UTC')::date, ordered_on) as stated_date
        from {{ ref('stg_files__orders') }}
        where campaign_id is not null

        union all

        select
            connection_id,
            campaign_id,
            coalesce((touched_at at time zone 'UTC')::date, touched_on) as stated_date
        from {{ ref('stg_files__touches') }}
        where campaign_id is not null
    ) as stating_rows
    group by connection_id, lower(campaign_id)
),

known_labels as (
    select lower(campaign_id) as label from known
    union
    select lower(campaign_name) as label from {{ ref('int_campaign_versions_unioned') }}
    union
    select lower(campaign_name) as label from {{ ref('int_file_campaign_versions') }}
),

campaigns as (
    select * from known

    union all

    select
        stated.connection_id,
        stated.connection_id as platform,
        stated.connection_id as ad_account_id,
        stated.campaign_id,
        stated.first_seen_date,
        null::date as first_reported_date,
        true as is_only_stated
    from stated
    left join known_labels on lower(stated.campaign_id) = known_labels.label
    where known_labels.label is null
),

final as (
    select
        {{ surrogate_key(['campaigns.platform', 'campaigns.ad_account_id', 'campaigns.campaign_id']) }} as campaign_key,
        campaigns.connection_id,
        campaigns.platform,
        campaigns.ad_account_id,
        campaigns.campaign_id,
        coalesce(platforms.known_platform, campaigns.platform) as known_platform,
        campaigns.is_only_stated,
        campaigns.first_seen_date,
        campaigns.first_reported_date
    from campaigns
    left join platforms on {{ comparable_name('campaigns.platform') }} = platforms.platform_name
)

select * from final
