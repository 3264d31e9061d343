{{
    config(
        unique_key=['date_day', 'platform', 'ad_account_id', 'campaign_id'],
        scope_column='date_day',
        scope_from=['int_currency_rates_daily'],
        scope_sql=[
            "select date_day
            from ops.loaded_days
            where (source, stream) in " ~ ad_stats_streams() ~ " and load_id > {since_load_id}",
            "select date_day
            from staging.stg_files__ad_stats
            where load_id > {since_load_id}",
            "select changed.first_day + days.day_no
            from (
                select min(case when n_rows > 1 and n_channels = 1 then coalesce(valid_to, valid_from) else valid_from end) as first_day
                from (
                    select
                        min(valid_from) as valid_from,
                        min(valid_to) as valid_to,
                        count(*) as n_rows,
                        count(distinct channel) as n_channels
                    from marts_changes.dim_campaigns_history
                    group by campaign_version_key
                ) as versions
            ) as changed
            cross join (select max(date_day) as last_day from ops.loaded_days) as loaded
            cross join lateral generate_series(0, loaded.last_day - changed.first_day) as days (day_no)",
        ],
        indexes=[{'columns': ['campaign_key']}],
    )
}}

with

-- Two connections may see the same account; its spend is spent once.
stats as (
    select distinct on (date_day, platform, ad_account_id, campaign_id)
        *,
        {{ surrogate_key(['platform', 'ad_account_id', 'campaign_id']) }} as campaign_key
    from {{ ref('int_ad_stats_unioned') }}
    where {{ in_scope('date_day') }}
    order by date_day, platform, ad_account_id, campaign_id, load_id desc
),

versions as (
    select * from {{ ref('dim_campaigns_history') }}
),

rates as (
    select * from {{ ref('int_currency_rates_daily') }}
    where {{ in_scope('date_day') }}
),

final as (
    select
        stats.campaign_key,
        versions.campaign_version_key,
        stats.ad_account_id,
        stats.campaign_id,
        stats.platform,
        coalesce(versions.channel, 'Paid Other') as channel,
        '(all)' as region,
        stats.currency_code,
        stats.impressions,
        stats.clicks,
        -- Without a rate there is no amount, and the audit stops the publication.
        trim_scale(stats.spend_local * rates.rate) as spend,
        trim_scale(stats.spend_local) as spend_local,
        trim_scale(stats.platform_conversions) as platform_conversions,
        trim_scale(stats.platform_conversion_value_local * rates.rate) as platform_conversion_value,
        rates.is_carried as is_rate_carried,
        stats.date_day
    from stats
    left join rates
        on stats.date_day = rates.date_day and stats.currency_code = rates.currency_code
    left join versions
        on
            stats.campaign_key = versions.campaign_key
            and stats.date_day >= versions.valid_from
            and (stats.date_day < versions.valid_to or versions.valid_to is null)
)

select * from final
