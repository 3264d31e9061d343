{{ config(unique_key=['platform', 'ad_account_id', 'campaign_id', 'valid_from']) }}

with

-- A day has one name and channel: those that most was spent under.
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
            platform,
            ad_account_id,
            campaign_id,
            campaign_name,
            stated_channel,
            date_day,
            sum(spend_local) as spend_local
        from {{ ref('int_file_ad_stats') }}
        group by platform, ad_account_id, campaign_id, campaign_name, stated_channel, date_day
    ) as named_days
    order by
        platform,
        ad_account_id,
        campaign_id,
        date_day,
        spend_local desc nulls last,
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
