{{
    config(
        unique_key=['month_start', 'channel', 'campaign_key', 'model', 'region'],
        scope_column='month_start',
    )
}}

{% call scope() %}
select month_start from {{ changes('fct_funnel_daily') }}
union all
select month_start from {{ changes('int_costs') }}
union all
select converted_month from {{ changes('fct_attribution') }}
union all
select touched_month from {{ changes('fct_attribution') }}
union all
select {{ month_of('closed_date') }} from {{ changes('fct_opportunities') }}
union all
-- Months whose attribution window has closed since the last publication.
select generate_series(
    date_trunc('month', {{ published_as_of() }} at time zone {{ reporting_timezone() }} - setting.window_length),
    date_trunc('month', {{ as_of() }} at time zone {{ reporting_timezone() }} - setting.window_length) - interval '1 month',
    interval '1 month'
)::date
from (values (interval '{{ var('attribution_window_days') }} days')) as setting (window_length)
{% endcall %}

with

daily as (
    select * from {{ ref('fct_funnel_daily') }}
    where {{ in_scope('month_start') }}
),

attribution as not materialized (
    select * from {{ ref('fct_attribution') }}
    where conversion_type in ('won', 'order')
),

opportunities as (
    select * from {{ ref('fct_opportunities') }}
),

costs as (
    select * from {{ ref('int_costs') }}
    where {{ in_scope('month_start') }}
),

channels as (
    select * from {{ ref('dim_channels') }}
),

campaign_regions as (
    select distinct
        campaigns.campaign_key,
        split.region
    from {{ ref('campaign_regions') }} as split
    inner join {{ ref('dim_campaigns') }} as campaigns
        on split.platform = campaigns.platform and split.campaign_id = campaigns.campaign_id
),

-- Activity clock: spend of a month next to what closed in that month. Channels without spend or revenue of their own
-- have a row if a deal of theirs was won or an order came in.
spent as (
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

converted as (
    select
        month_start,
        channel,
        campaign_key,
        region,
        model,
        opportunity_key,
        sum(credit) as credit,
        sum(credited_amount) as credited_amount
    from (
        select
            *,
            converted_month as month_start
        from attribution
        where {{ in_scope('converted_month') }}
    ) as closed
    group by month_start, channel, campaign_key, region, model, opportunity_key
),

-- Cohort clock: what touches of the month earned, whenever it closed. The spend of a month buys touches of that month.
touched as (
    select
        touched_month as month_start,
        channel,
        campaign_key,
        region,
        model,
        sum(credited_amount) as cohort_revenue
    from attribution
    where {{ in_scope('touched_month') }}
    group by touched_month, channel, campaign_key, region, model
),

earned as (
    select
        converted.month_start,
        converted.channel,
        converted.campaign_key,
        converted.region,
        converted.model,
        converted.credited_amount as revenue,
        case when opportunities.opportunity_type = 'new_business' then converted.credit else 0 end as new_customers,
        case
            when opportunities.opportunity_type = 'new_business' then converted.credit * opportunities.gross_margin
        end as gross_margin,
        case
            when opportunities.opportunity_type = 'new_business' and opportunities.gross_margin is not null
                then converted.credit
        end as customers_of_margin,
        0 as cohort_revenue
    from converted
    left join opportunities on converted.opportunity_key = opportunities.opportunity_key

    union all

    select
        month_start,
        channel,
        campaign_key,
        region,
        model,
        0 as revenue,
        0 as new_customers,
        null as gross_margin,
        null as customers_of_margin,
        cohort_revenue
    from touched
),

-- Revenue of a campaign is on the rows of its spend: on its regions if the spend was split, else on (not split).
returns as (
    select
        earned.month_start,
        earned.channel,
        earned.campaign_key,
        earned.model,
        case
            when earned.campaign_key = '(no campaign)' then earned.region
            when campaign_regions.region is not null then earned.region
            else '(not split)'
        end as region,
        sum(earned.revenue) as revenue,
        sum(earned.new_customers) as new_customers,
        sum(earned.gross_margin) as gross_margin,
        sum(earned.customers_of_margin) as customers_of_margin,
        sum(earned.cohort_revenue) as cohort_revenue
    from earned
    left join campaign_regions
        on earned.campaign_key = campaign_regions.campaign_key and earned.region = campaign_regions.region
    group by
        earned.month_start,
        earned.channel,
        earned.campaign_key,
        earned.model,
        case
            when earned.campaign_key = '(no campaign)' then earned.region
            when campaign_regions.region is not null then earned.region
            else '(not split)'
        end
),

-- Costs that media spend leaves out: of a channel, of marketing's or partners' channels, or of all of them.
pooled as (
    select
        month_start,
        case
            when channel is not null then 'channel'
            when team in ('marketing', 'partner') then 'team'
            else 'all'
        end as pool,
        case
            when channel is not null then channel
            when team in ('marketing', 'partner') then team
            else 'every channel'
        end as pool_name,
        amount
    from costs
),

pools as (
    select
        month_start,
        pool,
        pool_name,
        sum(amount) as amount
    from pooled
    group by month_start, pool, pool_name
),

-- Won deals of a campaign also have rows in `spent`, on the deal's region. Such a row alone does not put the campaign on
-- that region: its revenue decides.
cells as (
    select
        month_start,
        channel,
        campaign_key,
        case when spend <> 0 or platform_claimed_value <> 0 or campaign_key = '(no campaign)' then region end as region
    from spent

    union

    select
        month_start,
        channel,
        campaign_key,
        region
    from returns

    union

    -- Costs that cannot be charged to a channel are here.
    select
        month_start,
        '(unattributed)' as channel,
        '(no campaign)' as campaign_key,
        '(not split)' as region
    from pools
),

combined as (
    select
        cells.month_start,
        cells.channel,
        cells.campaign_key,
        models.model,
        cells.region,
        channels.owner_team,
        returns.gross_margin,
        returns.customers_of_margin,
        coalesce(spent.spend, 0) as spend,
        coalesce(spent.platform_claimed_value, 0) as platform_claimed_value,
        coalesce(returns.revenue, 0) as revenue,
        coalesce(returns.new_customers, 0) as new_customers,
        coalesce(returns.cohort_revenue, 0) as cohort_revenue
    from cells
    cross join (values {{ attribution_models() }}) as models (model)
    left join channels on cells.channel = channels.channel
    left join spent
        on
            cells.month_start = spent.month_start
            and cells.channel = spent.channel
            and cells.campaign_key = spent.campaign_key
            and cells.region = spent.region
    left join returns
        on
            cells.month_start = returns.month_start
            and cells.channel = returns.channel
            and cells.campaign_key = returns.campaign_key
            and cells.region = returns.region
            and models.model = returns.model
    where cells.region is not null
),

-- Each pool is shared in proportion to customers won, or to spend in a month without any.
charged as (
    select
        combined.month_start,
        combined.channel,
        combined.campaign_key,
        combined.model,
        combined.region,
        pools.pool,
        pools.pool_name,
        pools.amount,
        case
            when sum(combined.new_customers) over same_pool > 0
                then combined.new_customers / sum(combined.new_customers) over same_pool
            when sum(combined.spend) over same_pool > 0
                then combined.spend / sum(combined.spend) over same_pool
            else 0
        end as share
    from combined
    inner join pools
        on
            combined.month_start = pools.month_start
            and (
                pools.pool = 'all'
                or (pools.pool = 'team' and combined.owner_team = pools.pool_name)
                or (pools.pool = 'channel' and combined.channel = pools.pool_name)
            )
    window same_pool as (partition by combined.month_start, combined.model, pools.pool, pools.pool_name)
),

charges as (
    select
        month_start,
        channel,
        campaign_key,
        model,
        region,
        amount * share as amount
    from charged
    where share <> 0

    union all

    select
        pools.month_start,
        '(unattributed)' as channel,
        '(no campaign)' as campaign_key,
        models.model,
        '(not split)' as region,
        pools.amount
    from pools
    cross join (values {{ attribution_models() }}) as models (model)
    where not exists (
        select 1 from charged
        where
            charged.month_start = pools.month_start
            and charged.pool = pools.pool
            and charged.pool_name = pools.pool_name
            and charged.model = models.model
            and charged.share <> 0
    )
),

charged_costs as (
    select
        month_start,
        channel,
        campaign_key,
        model,
        region,
        round(sum(amount), 12) as costs
    from charges
    group by month_start, channel, campaign_key, model, region
),

-- In a month without filed costs they are null, not 0.
costed as (
    select
        combined.*,
        case
            when combined.month_start in (select month_start from pools) then coalesce(charged_costs.costs, 0)
        end as costs
    from combined
    left join charged_costs
        on
            combined.month_start = charged_costs.month_start
            and combined.channel = charged_costs.channel
            and combined.campaign_key = charged_costs.campaign_key
            and combined.model = charged_costs.model
            and combined.region = charged_costs.region
),

acquired as (
    select
        *,
        nullif(spend + costs, 0) / nullif(new_customers, 0) as cac,
        gross_margin / nullif(customers_of_margin, 0) / {{ var('contract_months') }} as monthly_margin
    from costed
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
        trim_scale(costs) as costs,
        trim_scale(cac) as cac,
        trim_scale(nullif(spend, 0) / nullif(new_customers, 0)) as media_cac,
        trim_scale(case when monthly_margin > 0 then cac / monthly_margin end) as payback_months,
        trim_scale(platform_claimed_value) as platform_claimed_value,
        trim_scale(platform_claimed_value / nullif(revenue, 0)) as overclaim_ratio,
        trim_scale(min(revenue / nullif(spend, 0)) over same_cell) as roas_low,
        trim_scale(max(revenue / nullif(spend, 0)) over same_cell) as roas_high,
        trim_scale(cohort_revenue) as cohort_revenue,
        trim_scale(cohort_revenue / nullif(spend, 0)) as cohort_roas,
        {{ start_of_day("(month_start + interval '1 month' + interval '" ~ var('attribution_window_days') ~ " days')::date") }}
        <= {{ as_of() }} as is_cohort_mature,
        month_start
    from acquired
    window same_cell as (partition by month_start, channel, campaign_key, region)
)

select * from final
