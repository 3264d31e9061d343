{{
    config(
        unique_key=['connection_id', 'platform', 'ad_account_id', 'campaign_id'],
        indexes=[{'columns': ['campaign_key']}],
    )
}}

with

-- `not materialized`: a CTE that is read twice would otherwise be computed whole before any index could be used.
google_ads_stats as not materialized (
    select * from {{ ref('stg_google_ads__campaign_stats') }}
),

google_ads_versions as not materialized (
    select * from {{ ref('stg_google_ads__campaign_versions') }}
),

meta_ads_insights as not materialized (
    select * from {{ ref('stg_meta_ads__insights') }}
),

meta_ads_versions as not materialized (
    select * from {{ ref('stg_meta_ads__campaign_versions') }}
),

-- Every campaign the platforms described or reported on; days already built need not be read again to know theirs.
named_on_google_ads as (
    select
        connection_id,
        ad_account_id,
        campaign_id
    from google_ads_versions
    union
    select
        connection_id,
        ad_account_id,
        campaign_id
    from google_ads_stats
    where load_id > {{ since_load_id() }}
    {% if not is_full_build() %}
    union
    select
        connection_id,
        ad_account_id,
        campaign_id
    from {{ this }}
    where platform = 'google_ads'
    {% endif %}
),

named_on_meta_ads as (
    select
        connection_id,
        ad_account_id,
        campaign_id
    from meta_ads_versions
    union
    select
        connection_id,
        ad_account_id,
        campaign_id
    from meta_ads_insights
    where load_id > {{ since_load_id() }}
    {% if not is_full_build() %}
    union
    select
        connection_id,
        ad_account_id,
        campaign_id
    from {{ this }}
    where platform = 'meta_ads'
    {% endif %}
),

dated as (
    select
        named.connection_id,
        'google_ads' as platform,
        named.ad_account_id,
        named.campaign_id,
        described.first_described_at,
        reported.first_date
    from named_on_google_ads as named
    left join lateral (
        select min(stats.date_day) as first_date
        from google_ads_stats as stats
        where
            stats.connection_id = named.connection_id
            and stats.ad_account_id = named.ad_account_id
            and stats.campaign_id = named.campaign_id
    ) as reported on true
    left join lateral (
        select min(versions.fetched_at) as first_described_at
        from google_ads_versions as versions
        where
            versions.connection_id = named.connection_id
            and versions.ad_account_id = named.ad_account_id
            and versions.campaign_id = named.campaign_id
    ) as described on true

    union all

    select
        named.connection_id,
        'meta_ads' as platform,
        named.ad_account_id,
        named.campaign_id,
        described.first_described_at,
        reported.first_date
    from named_on_meta_ads as named
    left join lateral (
        select min(insights.date_day) as first_date
        from meta_ads_insights as insights
        where
            insights.connection_id = named.connection_id
            and insights.ad_account_id = named.ad_account_id
            and insights.campaign_id = named.campaign_id
    ) as reported on true
    left join lateral (
        select min(versions.fetched_at) as first_described_at
        from meta_ads_versions as versions
        where
            versions.connection_id = named.connection_id
            and versions.ad_account_id = named.ad_account_id
            and versions.campaign_id = named.campaign_id
    ) as described on true
),

final as (
    select
        {{ surrogate_key(['platform', 'ad_account_id', 'campaign_id']) }} as campaign_key,
        connection_id,
        platform,
        ad_account_id,
        campaign_id,
        -- A fetch describes the day before it, the day being loaded.
        least(first_date, (first_described_at at time zone 'UTC')::date - 1) as first_seen_date
    from dated
    -- A campaign whose only rows were retracted, and which the platform never described, is gone.
    where first_date is not null or first_described_at is not null
)

select * from final
