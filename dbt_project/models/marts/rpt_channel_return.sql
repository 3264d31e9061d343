{{
    config(
        unique_key=['month_start', 'channel', 'campaign_key', 'model', 'region'],
        scope_column='month_start',
        scope_from=['fct_funnel_daily'],
        scope_sql="select converted_month from marts_changes.fct_attribution",
    )
}}

with

daily as (
    select * from {{ ref('fct_funnel_daily') }}
    where {{ in_scope('month_start') }}
),

attribution as (
    select * from {{ ref('fct_attribution') }}
    where conversion_type in ('won', 'order') and {{ in_scope('converted_month') }}
),

opportunities as (
    select * from {{ ref('fct_opportunities') }}
),

campaign_regions as (
    select distinct
        campaigns.campaign_key,
        split.region
    from {{ ref('campaign_regions') }} as split
    inner join {{ ref('dim_campaigns') }} as campaigns
        on split.platform = campaigns.platform and split.campaign_id = campaigns.campaign_id
),

-- Clock: spend of a month beside what closed in that month. Channels without spend or revenue of their own stay rows
-- when a deal of theirs was won or an order came in.
costs as (
    select
        month_start,
        channel,
        campaign_key,
        region,
        sum(spend) as spend,
        sum(platform_conversion_value) as platform_claimed_value
    from daily
    group by month_start, channel, campaign_key, region
    having sum(spend) <> 0 or sum(platform_conversion_value) <> 0 or sum(won) <> 0 or sum(orders) <> 0
),

-- Revenue of a campaign stands where its spend stands: on its regions if the spend was split, else on (all).
placed as (
    select
        attribution.converted_month as month_start,
        attribution.channel,
        attribution.campaign_key,
        attribution.model,
        case
            when attribution.campaign_key = '(no campaign)' then attribution.region
            when campaign_regions.region is not null then attribution.region
            else '(all)'
        end as region,
        attribution.credited_amount,
        case when opportunities.opportunity_type = 'new_business' then attribution.credit else 0 end as customer_credit
    from attribution
    left join opportunities on attribution.opportunity_key = opportunities.opportunity_key
    left join campaign_regions
        on attribution.campaign_key = campaign_regions.campaign_key and attribution.region = campaign_regions.region
),

returns as (
    select
        month_start,
        channel,
        campaign_key,
        model,
        region,
        sum(credited_amount) as revenue,
        sum(customer_credit) as new_customers
    from placed
    group by month_start, channel, campaign_key, model, region
),

-- Won deals of a campaign put a row into `costs` on the deal's own region; their revenue decides on the region alone.
cells as (
    select
        month_start,
        channel,
        campaign_key,
        case when spend <> 0 or platform_claimed_value <> 0 or campaign_key = '(no campaign)' then region end as region
    from costs

    union

    select
        month_start,
        channel,
        campaign_key,
        region
    from returns
),

combined as (
    select
        cells.month_start,
        cells.channel,
        cells.campaign_key,
        models.model,
        cells.region,
        coalesce(costs.spend, 0) as spend,
        coalesce(costs.platform_claimed_value, 0) as platform_claimed_value,
        coalesce(returns.revenue, 0) as revenue,
        coalesce(returns.new_customers, 0) as new_customers
    from cells
    cross join (values ('first'), ('last'), ('linear'), ('position')) as models (model)
    left join costs
        on
            cells.month_start = costs.month_start
            and cells.channel = costs.channel
            and cells.campaign_key = costs.campaign_key
            and cells.region = costs.region
    left join returns
        on
            cells.month_start = returns.month_start
            and cells.channel = returns.channel
            and cells.campaign_key = returns.campaign_key
            and cells.region = returns.region
            and models.model = returns.model
    where cells.region is not null
),

final as (
    select
        campaign_key,
        channel,
        model,
        region,
        trim_scale(spend) as spend,
        trim_scale(revenue) as revenue,
        trim_scale(new_customers) as new_customers,
        trim_scale(revenue / nullif(spend, 0)) as roas,
        -- Both need the entity `costs`: salaries, tools, agencies.
        null::numeric as cac,
        trim_scale(nullif(spend, 0) / nullif(new_customers, 0)) as media_cac,
        null::numeric as payback_months,
        trim_scale(platform_claimed_value) as platform_claimed_value,
        trim_scale(platform_claimed_value / nullif(revenue, 0)) as overclaim_ratio,
        trim_scale(min(revenue / nullif(spend, 0)) over same_cell) as roas_low,
        trim_scale(max(revenue / nullif(spend, 0)) over same_cell) as roas_high,
        month_start
    from combined
    window same_cell as (partition by month_start, channel, campaign_key, region)
)

select * from final
