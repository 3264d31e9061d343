{{
    config(
        unique_key=['connection_id', 'platform', 'ad_account_id', 'campaign_id'],
        indexes=[{'columns': ['campaign_key']}],
    )
}}
-- depends_on: {{ ref('stg_ops__loaded_days') }}
-- depends_on: {{ ref('stg_files__ad_stats') }}

with

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

-- A first day that was read again may have been taken back; only then the campaign's other days must be searched.
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

final as (
    select
        {{ surrogate_key(['platform', 'ad_account_id', 'campaign_id']) }} as campaign_key,
        connection_id,
        platform,
        ad_account_id,
        campaign_id,
        -- A fetch describes the day before it, the day being loaded.
        least(
            reported.first_reported_date,
            (described.first_described_at at time zone 'UTC')::date - 1
        ) as first_seen_date,
        reported.first_reported_date
    from described
    full outer join reported using (connection_id, platform, ad_account_id, campaign_id)
)

select * from final
