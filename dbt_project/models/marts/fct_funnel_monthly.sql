{{
    config(
        unique_key=['month_start', 'channel', 'campaign_key', 'region'],
        scope_column='month_start',
    )
}}

{% call scope() %}
select month_start from {{ changes('fct_funnel_daily') }}
{% endcall %}

with

daily as (
    select * from {{ ref('fct_funnel_daily') }}
    where {{ in_scope('month_start') }}
),

-- A measure of a source that is not configured is null on every day, and so in every month.
final as (
    select
        campaign_key,
        channel,
        region,
        trim_scale(sum(spend)) as spend,
        sum(impressions)::bigint as impressions,
        sum(clicks)::bigint as clicks,
        trim_scale(sum(platform_conversions)) as platform_conversions,
        trim_scale(sum(platform_conversion_value)) as platform_conversion_value,
        sum(sessions)::bigint as sessions,
        sum(leads)::bigint as leads,
        sum(mqls)::bigint as mqls,
        sum(sals)::bigint as sals,
        sum(sqls)::bigint as sqls,
        sum(opportunities)::bigint as opportunities,
        trim_scale(sum(pipeline_amount)) as pipeline_amount,
        sum(won)::bigint as won,
        trim_scale(sum(won_amount)) as won_amount,
        sum(lost)::bigint as lost,
        sum(orders)::bigint as orders,
        trim_scale(sum(order_amount)) as order_amount,
        trim_scale(sum(retail_amount)) as retail_amount,
        month_start
    from daily
    group by month_start, channel, campaign_key, region
)

select * from final
