-- The months of the funnel are the sums of its days, measure by measure, and a measure without a source is null in both.

with

daily as (
    select
        month_start,
        channel,
        campaign_key,
        region,
        array[
            sum(spend), sum(impressions), sum(clicks), sum(platform_conversions), sum(platform_conversion_value),
            sum(sessions), sum(leads), sum(mqls), sum(sals), sum(sqls), sum(opportunities), sum(pipeline_amount),
            sum(won), sum(won_amount), sum(lost), sum(orders), sum(order_amount), sum(retail_amount)
        ] as measures
    from {{ ref('fct_funnel_daily') }}
    where {{ is_touched('month_start', ['fct_funnel_monthly', 'fct_funnel_daily']) }}
    group by month_start, channel, campaign_key, region
),

monthly as (
    select
        month_start,
        channel,
        campaign_key,
        region,
        array[
            spend, impressions, clicks, platform_conversions, platform_conversion_value,
            sessions, leads, mqls, sals, sqls, opportunities, pipeline_amount,
            won, won_amount, lost, orders, order_amount, retail_amount
        ] as measures
    from {{ ref('fct_funnel_monthly') }}
    where {{ is_touched('month_start', ['fct_funnel_monthly', 'fct_funnel_daily']) }}
)

select
    month_start,
    channel,
    campaign_key,
    region,
    daily.measures as expected,
    monthly.measures as found
from daily
full outer join monthly using (month_start, channel, campaign_key, region)
where daily.measures is distinct from monthly.measures
