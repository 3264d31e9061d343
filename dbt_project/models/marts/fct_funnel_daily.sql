{{
    config(
        unique_key=['date_day', 'channel', 'campaign_key', 'region'],
        scope_column='date_day',
        track=['month_start'],
        indexes=[{'columns': ['month_start']}],
    )
}}

{% call scope() %}
select date_day from {{ changes('fct_ad_stats_daily') }}
union all
select date_day from {{ changes('fct_web_sessions_daily') }}
union all
select unnest(array[created_date, mql_date, sal_date, sql_date]) from {{ changes('fct_leads') }}
union all
select unnest(array[created_date, closed_date]) from {{ changes('fct_opportunities') }}
union all
select ordered_date from {{ changes('fct_orders') }}
union all
select week_start + day_no from {{ changes('fct_sell_through_weekly') }} cross join generate_series(0, 6) as day_no
{% endcall %}

{%- set has_ads = is_advertising_configured() %}
{%- set has_web = is_configured('ga4') %}
{%- set has_shop = is_configured('shopify') or is_configured('files.orders') %}
{%- set has_retail = is_configured('files.sell_through') %}
{%- set has_crm = is_configured('hubspot') or is_configured('salesforce') %}
{%- set has_leads = has_crm or is_configured('files.leads') or is_configured('files.touches') %}
{%- set has_deals = has_crm or is_configured('files.opportunities') %}

with

ad_stats as (
    select * from {{ ref('fct_ad_stats_daily') }}
    where {{ in_scope('date_day') }}
),

web_sessions as (
    select * from {{ ref('fct_web_sessions_daily') }}
    where {{ in_scope('date_day') }}
),

leads as not materialized (
    select * from {{ ref('fct_leads') }}
),

opportunities as not materialized (
    select * from {{ ref('fct_opportunities') }}
    where opportunity_type <> 'renewal'
),

-- Shares are placed end to end from 0 to 1; the rest stays with region (not split).
split_campaigns as (
    select
        platform,
        campaign_id,
        region,
        sum(share) over (partition by platform, campaign_id order by region) - share as share_from,
        sum(share) over (partition by platform, campaign_id order by region) as share_to
    from {{ ref('campaign_regions') }}
),

rest_of_campaigns as (
    select
        platform,
        campaign_id,
        '(not split)' as region,
        max(share_to) as share_from,
        1::numeric as share_to
    from split_campaigns
    group by platform, campaign_id
    having max(share_to) < 1
),

shares as (
    select * from split_campaigns
    union all
    select * from rest_of_campaigns
),

-- Differences of rounded running shares: the parts of a whole number are whole and add up to it.
spread as (
    select
        ad_stats.date_day,
        ad_stats.channel,
        ad_stats.campaign_key,
        coalesce(shares.region, '(not split)') as region,
        case
            when shares.region is null then ad_stats.spend
            else ad_stats.spend * (shares.share_to - shares.share_from)
        end as spend,
        case
            when shares.region is null then ad_stats.impressions
            else round(ad_stats.impressions * shares.share_to) - round(ad_stats.impressions * shares.share_from)
        end as impressions,
        case
            when shares.region is null then ad_stats.clicks
            else round(ad_stats.clicks * shares.share_to) - round(ad_stats.clicks * shares.share_from)
        end as clicks,
        case
            when shares.region is null then ad_stats.platform_conversions
            else ad_stats.platform_conversions * (shares.share_to - shares.share_from)
        end as platform_conversions,
        case
            when shares.region is null then ad_stats.platform_conversion_value
            else ad_stats.platform_conversion_value * (shares.share_to - shares.share_from)
        end as platform_conversion_value
    from ad_stats
    left join shares on ad_stats.platform = shares.platform and ad_stats.campaign_id = shares.campaign_id
),

ads_by_day as (
    select
        date_day,
        channel,
        campaign_key,
        region,
        sum(spend) as spend,
        sum(impressions) as impressions,
        sum(clicks) as clicks,
        sum(platform_conversions) as platform_conversions,
        sum(platform_conversion_value) as platform_conversion_value
    from spread
    group by date_day, channel, campaign_key, region
),

funnel_events as (
    select
        created_date as date_day,
        channel,
        campaign_key,
        region,
        'lead' as step,
        null::numeric as amount
    from leads
    where {{ in_scope('created_date') }}

    union all

    select
        mql_date as date_day,
        channel,
        campaign_key,
        region,
        'mql' as step,
        null::numeric as amount
    from leads
    where mql_date is not null and {{ in_scope('mql_date') }}

    union all

    select
        sal_date as date_day,
        channel,
        campaign_key,
        region,
        'sal' as step,
        null::numeric as amount
    from leads
    where sal_date is not null and {{ in_scope('sal_date') }}

    union all

    select
        sql_date as date_day,
        channel,
        campaign_key,
        region,
        'sql' as step,
        null::numeric as amount
    from leads
    where sql_date is not null and {{ in_scope('sql_date') }}

    union all

    select
        created_date as date_day,
        channel,
        campaign_key,
        region,
        'opportunity' as step,
        amount
    from opportunities
    where {{ in_scope('created_date') }}

    union all

    select
        closed_date as date_day,
        channel,
        campaign_key,
        region,
        case when is_won then 'won' else 'lost' end as step,
        amount
    from opportunities
    where not is_open and closed_date is not null and {{ in_scope('closed_date') }}
),

events_by_day as (
    select
        date_day,
        channel,
        campaign_key,
        region,
        count(*) filter (where step = 'lead') as leads,
        count(*) filter (where step = 'mql') as mqls,
        count(*) filter (where step = 'sal') as sals,
        count(*) filter (where step = 'sql') as sqls,
        count(*) filter (where step = 'opportunity') as opportunities,
        sum(amount) filter (where step = 'opportunity') as pipeline_amount,
        count(*) filter (where step = 'won') as won,
        sum(amount) filter (where step = 'won') as won_amount,
        count(*) filter (where step = 'lost') as lost
    from funnel_events
    group by date_day, channel, campaign_key, region
),

sessions_by_day as (
    select
        date_day,
        channel,
        campaign_key,
        region,
        sum(sessions) as sessions
    from web_sessions
    group by date_day, channel, campaign_key, region
),

-- An order that bills an opportunity is part of the opportunity's revenue.
orders_by_day as (
    select
        ordered_date as date_day,
        channel,
        campaign_key,
        region,
        count(distinct order_key) as orders,
        sum(net_amount) as order_amount
    from {{ ref('fct_orders') }}
    where is_revenue and {{ in_scope('ordered_date') }}
    group by ordered_date, channel, campaign_key, region
),

-- Evenly over the week: differences of rounded running sevenths, so that the days add up to it.
retail_by_day as (
    select
        weeks.week_start + days.day_no as date_day,
        'Retail' as channel,
        '(no campaign)' as campaign_key,
        weeks.region,
        sum(
            round(weeks.sales_amount * (days.day_no + 1) / 7, 4) - round(weeks.sales_amount * days.day_no / 7, 4)
            + case when days.day_no = 6 then weeks.sales_amount - round(weeks.sales_amount, 4) else 0 end
        ) as retail_amount
    from {{ ref('fct_sell_through_weekly') }} as weeks
    cross join generate_series(0, 6) as days (day_no)
    where {{ in_scope('weeks.week_start + days.day_no') }}
    group by weeks.week_start + days.day_no, weeks.region
),

-- A side that is not configured is null, one without activity is 0.
final as (
    select
        campaign_key,
        channel,
        region,
        case when {{ has_ads }} then trim_scale(coalesce(ads_by_day.spend, 0)) end as spend,
        case when {{ has_ads }} then coalesce(ads_by_day.impressions, 0) end::bigint as impressions,
        case when {{ has_ads }} then coalesce(ads_by_day.clicks, 0) end::bigint as clicks,
        case when {{ has_ads }} then trim_scale(coalesce(ads_by_day.platform_conversions, 0)) end as platform_conversions,
        case when {{ has_ads }} then trim_scale(coalesce(ads_by_day.platform_conversion_value, 0)) end
            as platform_conversion_value,
        case when {{ has_web }} then coalesce(sessions_by_day.sessions, 0) end::bigint as sessions,
        case when {{ has_leads }} then coalesce(events_by_day.leads, 0) end as leads,
        case when {{ has_leads }} then coalesce(events_by_day.mqls, 0) end as mqls,
        case when {{ has_leads }} then coalesce(events_by_day.sals, 0) end as sals,
        case when {{ has_leads }} then coalesce(events_by_day.sqls, 0) end as sqls,
        case when {{ has_deals }} then coalesce(events_by_day.opportunities, 0) end as opportunities,
        case when {{ has_deals }} then trim_scale(coalesce(events_by_day.pipeline_amount, 0)) end as pipeline_amount,
        case when {{ has_deals }} then coalesce(events_by_day.won, 0) end as won,
        case when {{ has_deals }} then trim_scale(coalesce(events_by_day.won_amount, 0)) end as won_amount,
        case when {{ has_deals }} then coalesce(events_by_day.lost, 0) end as lost,
        case when {{ has_shop }} then coalesce(orders_by_day.orders, 0) end as orders,
        case when {{ has_shop }} then trim_scale(coalesce(orders_by_day.order_amount, 0)) end as order_amount,
        case when {{ has_retail }} then trim_scale(coalesce(retail_by_day.retail_amount, 0)) end as retail_amount,
        date_day,
        {{ month_of('date_day') }} as month_start
    from ads_by_day
    full outer join events_by_day using (date_day, channel, campaign_key, region)
    full outer join sessions_by_day using (date_day, channel, campaign_key, region)
    full outer join orders_by_day using (date_day, channel, campaign_key, region)
    full outer join retail_by_day using (date_day, channel, campaign_key, region)
)

select * from final
