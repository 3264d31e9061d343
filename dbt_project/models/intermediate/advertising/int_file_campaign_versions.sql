{{ config(unique_key=['platform', 'ad_account_id', 'campaign_id', 'valid_from']) }}

with

-- A day has one name and channel: those with the highest spend.
days as (
    select distinct on (platform, ad_account_id, campaign_id, date_day)
        platform,
        ad_account_id,
        campaign_id,
        campaign_name,
        stated_channel,
        date_day
    from (
        select
            stats.platform,
            stats.ad_account_id,
            stats.campaign_id,
            stats.campaign_name,
            stats.stated_channel,
            stats.date_day,
            sum(stats.spend_local * rates.rate) as spend
        from {{ ref('int_file_ad_stats') }} as stats
        left join {{ ref('int_currency_rates_daily') }} as rates
            on stats.date_day = rates.date_day and stats.currency_code = rates.currency_code
        group by
            stats.platform,
            stats.ad_account_id,
            stats.campaign_id,
            stats.campaign_name,
            stats.stated_channel,
            stats.date_day
    ) as named_days
    order by
        platform,
        ad_account_id,
        campaign_id,
        date_day,
        spend desc nulls last,
        campaign_name,
        stated_channel
),

changes as (
    select
        *,
        row_number() over campaign_days as day_no,
        lag(array[campaign_name, stated_channel]) over campaign_days as previous_values
    from days
    window campaign_days as (partition by platform, ad_account_id, campaign_id order by date_day)
),

final as (
    select
        platform,
        ad_account_id,
        campaign_id,
        campaign_name,
        stated_channel,
        date_day as valid_from
    from changes
    where day_no = 1 or previous_values is distinct from array[campaign_name, stated_channel]
)

select * from final
