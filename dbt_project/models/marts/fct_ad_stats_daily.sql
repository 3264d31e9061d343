{{
    config(
        unique_key=['date_day', 'platform', 'ad_account_id', 'campaign_id', 'channel', 'source_system'],
        scope_column='date_day',
        indexes=[{'columns': ['campaign_key']}],
    )
}}

{% call scope() %}
select date_day from {{ changes('int_currency_rates_daily') }}
union all
select date_day
from {{ ref('stg_ops__loaded_days') }}
where (source_name, stream) in {{ ad_stats_streams() }} and {{ is_loaded_since('load_id') }}
union all
select date_day
from {{ ref('stg_files__ad_stats') }}
where {{ is_loaded_since('load_id') }}
union all
select changed.first_day + days.day_no
from (
    select min(case when n_rows > 1 and n_channels = 1 then coalesce(valid_to, valid_from) else valid_from end) as first_day
    from (
        select
            min(valid_from) as valid_from,
            min(valid_to) as valid_to,
            count(*) as n_rows,
            count(distinct channel) as n_channels
        from {{ changes('dim_campaigns_history') }}
        group by campaign_version_key
    ) as versions
) as changed
cross join (
    select max(date_day) as last_day
    from (
        select max(date_day) as date_day from {{ ref('stg_ops__loaded_days') }}
        union all
        select max(date_day) as date_day from {{ ref('stg_files__ad_stats') }}
    ) as last_days
) as loaded
cross join lateral generate_series(0, loaded.last_day - changed.first_day) as days (day_no)
{% endcall %}

with

-- Two connections may read the same account, but its spend counts once: the platform's own connection overrides a file
-- of the same campaign, then the newest load counts.
chosen as (
    select distinct on (date_day, platform, ad_account_id, campaign_id)
        date_day,
        platform,
        ad_account_id,
        campaign_id,
        source_system,
        connection_id
    from {{ ref('int_ad_stats_unioned') }}
    where {{ in_scope('date_day') }}
    order by date_day, platform, ad_account_id, campaign_id, source_system = platform desc, load_id desc, connection_id
),

stats as (
    select
        unioned.*,
        {{ surrogate_key(['unioned.platform', 'unioned.ad_account_id', 'unioned.campaign_id']) }} as campaign_key
    from {{ ref('int_ad_stats_unioned') }} as unioned
    inner join chosen
        using (date_day, platform, ad_account_id, campaign_id, source_system, connection_id)
    where {{ in_scope('unioned.date_day') }}
),

versions as (
    select * from {{ ref('dim_campaigns_history') }}
),

rates as (
    select * from {{ ref('int_currency_rates_daily') }}
    where {{ in_scope('date_day') }}
),

converted as (
    select
        stats.*,
        versions.campaign_version_key,
        coalesce(stats.stated_channel, versions.channel, 'Paid Other') as channel,
        -- Without a rate there is no amount, and the audit stops the publication.
        stats.spend_local * rates.rate as spend,
        stats.platform_conversion_value_local * rates.rate as platform_conversion_value,
        rates.is_carried
    from stats
    left join rates
        on stats.date_day = rates.date_day and stats.currency_code = rates.currency_code
    left join versions
        on
            stats.campaign_key = versions.campaign_key
            and stats.date_day >= versions.valid_from
            and (stats.date_day < versions.valid_to or versions.valid_to is null)
),

-- A campaign with spend in several currencies on a day has an amount only in the reporting currency.
final as (
    select
        campaign_key,
        min(campaign_version_key) as campaign_version_key,
        ad_account_id,
        campaign_id,
        platform,
        channel,
        '(not split)' as region,
        case
            when count(distinct currency_code) = 1 and count(*) = count(currency_code) then min(currency_code)
        end as currency_code,
        source_system,
        sum(impressions)::bigint as impressions,
        sum(clicks)::bigint as clicks,
        case when count(spend_local) = count(spend) then trim_scale(sum(spend)) end as spend,
        case when count(distinct currency_code) <= 1 then trim_scale(sum(spend_local)) end as spend_local,
        trim_scale(sum(platform_conversions)) as platform_conversions,
        trim_scale(sum(platform_leads)) as platform_leads,
        trim_scale(sum(platform_purchases)) as platform_purchases,
        case
            when count(platform_conversion_value_local) = count(platform_conversion_value)
                then trim_scale(sum(platform_conversion_value))
        end as platform_conversion_value,
        bool_or(is_carried) as is_rate_carried,
        date_day
    from converted
    group by campaign_key, ad_account_id, campaign_id, platform, channel, source_system, date_day
)

select * from final
