{{
    config(
        unique_key=['mart', 'measure', 'date_day', 'known_on'],
        scope_column='date_day',
    )
}}

{% call scope() %}
select date_day from {{ changes('fct_ad_stats_daily') }}
{% endcall %}

with

-- Published rows: those in effect with the publication that brought them, and those replaced since.
shown_versions as (
    select
        date_day,
        platform,
        ad_account_id,
        campaign_id,
        currency_code,
        spend,
        spend_local,
        impressions,
        clicks,
        platform_conversions,
        publication_id as shown_from,
        null::bigint as shown_until
    from {{ published_rows('bi', 'fct_ad_stats_daily') }} as published
    where {{ in_scope('date_day') }}

    union all

    select
        date_day,
        platform,
        ad_account_id,
        campaign_id,
        currency_code,
        spend,
        spend_local,
        impressions,
        clicks,
        platform_conversions,
        publication_id as shown_from,
        replaced_by as shown_until
    from {{ published_rows('bi_history', 'fct_ad_stats_daily') }} as replaced
    -- A row withdrawn by a roll-back has the same publication as start and end: it is not a version of the day.
    where publication_id < replaced_by and {{ in_scope('date_day') }}
),

current_rows as (
    select * from {{ ref('fct_ad_stats_daily') }}
    where {{ in_scope('date_day') }}
),

-- This build stands for the next publication.
publications as (
    select
        publication_id,
        {{ reporting_date('as_of') }} as known_on
    from {{ ref('stg_ops__publications') }}

    union all

    select
        {{ coming_publication_id() }} as publication_id,
        {{ reporting_date(as_of()) }} as known_on
),

matched as (
    select
        shown_versions.*,
        -- A published row that is gone, or has other values now.
        (
            shown_versions.currency_code is distinct from current_rows.currency_code
            or shown_versions.spend is distinct from current_rows.spend
            or shown_versions.spend_local is distinct from current_rows.spend_local
            or shown_versions.impressions is distinct from current_rows.impressions
            or shown_versions.clicks is distinct from current_rows.clicks
            or shown_versions.platform_conversions is distinct from current_rows.platform_conversions
        ) as is_outdated
    from shown_versions
    left join current_rows
        on
            shown_versions.date_day = current_rows.date_day
            and shown_versions.platform = current_rows.platform
            and shown_versions.ad_account_id = current_rows.ad_account_id
            and shown_versions.campaign_id = current_rows.campaign_id
),

compared as (
    select
        date_day,
        platform,
        ad_account_id,
        campaign_id,
        currency_code,
        spend,
        spend_local,
        impressions,
        clicks,
        platform_conversions,
        shown_from,
        case
            when shown_until is null and is_outdated then {{ coming_publication_id() }}
            else shown_until
        end as shown_until
    from matched
),

versions as (
    select * from compared

    union all

    select
        current_rows.date_day,
        current_rows.platform,
        current_rows.ad_account_id,
        current_rows.campaign_id,
        current_rows.currency_code,
        current_rows.spend,
        current_rows.spend_local,
        current_rows.impressions,
        current_rows.clicks,
        current_rows.platform_conversions,
        {{ coming_publication_id() }} as shown_from,
        null::bigint as shown_until
    from current_rows
    where not exists (
        select 1 from compared
        where
            compared.date_day = current_rows.date_day
            and compared.platform = current_rows.platform
            and compared.ad_account_id = current_rows.ad_account_id
            and compared.campaign_id = current_rows.campaign_id
            and compared.shown_until is null
    )
),

followed as (
    select
        *,
        lag(shown_until) over row_versions as previous_until,
        lead(shown_from) over row_versions as next_from,
        lag(spend) over row_versions as previous_spend,
        lag(spend_local) over row_versions as previous_spend_local,
        lag(currency_code) over row_versions as previous_currency_code,
        lag(impressions) over row_versions as previous_impressions,
        lag(clicks) over row_versions as previous_clicks,
        lag(platform_conversions) over row_versions as previous_platform_conversions
    from versions
    window row_versions as (
        partition by date_day, platform, ad_account_id, campaign_id order by shown_from
    )
),

-- Each step from one shown value of a row to the next, or to its removal, with what caused it.
steps as (
    select
        followed.date_day,
        measures.measure,
        followed.shown_from as publication_id,
        coalesce(measures.value, 0) - coalesce(measures.previous_value, 0) as change,
        case
            when measures.measure <> 'spend'
                then coalesce(measures.value, 0) - coalesce(measures.previous_value, 0)
            when coalesce(followed.currency_code <> followed.previous_currency_code, true) then 0
            -- The same amount at another rate is not a late change: split by the rate of the value shown before.
            when followed.spend * followed.previous_spend_local = followed.previous_spend * followed.spend_local
                then coalesce(measures.value, 0) - coalesce(measures.previous_value, 0)
            when followed.previous_spend_local <> 0
                then
                    round(
                        (followed.spend_local - followed.previous_spend_local) * followed.previous_spend
                        / followed.previous_spend_local,
                        12
                    )
            else coalesce(measures.value, 0) - coalesce(measures.previous_value, 0)
        end as late,
        0::numeric as retracted,
        -- The account changed its currency: neither late money nor another rate.
        case
            when measures.measure = 'spend' and coalesce(followed.currency_code <> followed.previous_currency_code, true)
                then coalesce(measures.value, 0) - coalesce(measures.previous_value, 0)
            else 0
        end as other
    from followed
    cross join
        lateral (
            values
            ('spend', followed.spend, followed.previous_spend),
            ('impressions', followed.impressions, followed.previous_impressions),
            ('clicks', followed.clicks, followed.previous_clicks),
            ('platform_conversions', followed.platform_conversions, followed.previous_platform_conversions)
        ) as measures (measure, value, previous_value)
    where followed.previous_until = followed.shown_from

    union all

    -- A row that did not exist before.
    select
        followed.date_day,
        measures.measure,
        followed.shown_from as publication_id,
        coalesce(measures.value, 0) as change,
        coalesce(measures.value, 0) as late,
        0::numeric as retracted,
        0::numeric as other
    from followed
    cross join
        lateral (
            values
            ('spend', followed.spend),
            ('impressions', followed.impressions),
            ('clicks', followed.clicks),
            ('platform_conversions', followed.platform_conversions)
        ) as measures (measure, value)
    where followed.previous_until is distinct from followed.shown_from

    union all

    -- A row that no longer exists.
    select
        followed.date_day,
        measures.measure,
        followed.shown_until as publication_id,
        -coalesce(measures.value, 0) as change,
        0::numeric as late,
        -coalesce(measures.value, 0) as retracted,
        0::numeric as other
    from followed
    cross join
        lateral (
            values
            ('spend', followed.spend),
            ('impressions', followed.impressions),
            ('clicks', followed.clicks),
            ('platform_conversions', followed.platform_conversions)
        ) as measures (measure, value)
    where followed.shown_until is not null and followed.next_from is distinct from followed.shown_until
),

-- Of several publications on one day the last one counts.
daily_steps as (
    select
        steps.date_day,
        steps.measure,
        publications.known_on,
        sum(steps.change) as change,
        sum(steps.late) as late,
        sum(steps.retracted) as retracted,
        sum(steps.other) as other
    from steps
    inner join publications on steps.publication_id = publications.publication_id
    group by steps.date_day, steps.measure, publications.known_on
),

accumulated as (
    select
        date_day,
        measure,
        known_on,
        change,
        row_number() over day_in_order as step_no,
        first_value(change) over day_in_order as as_first_reported,
        sum(change) over day_in_order as as_reported,
        sum(change) over whole_day as as_known,
        sum(late) over whole_day - sum(late) over day_in_order as change_late,
        sum(retracted) over whole_day - sum(retracted) over day_in_order as change_retracted,
        sum(other) over whole_day - sum(other) over day_in_order as change_other
    from daily_steps
    window
        whole_day as (partition by date_day, measure),
        day_in_order as (partition by date_day, measure order by known_on)
),

explained as (
    select
        'fct_ad_stats_daily' as mart,
        measure,
        trim_scale(as_first_reported) as as_first_reported,
        trim_scale(as_reported) as as_reported,
        trim_scale(as_known) as as_known,
        trim_scale(as_known - as_reported) as change,
        trim_scale(change_late) as change_late,
        trim_scale(change_retracted) as change_retracted,
        trim_scale(as_known - as_reported - change_late - change_retracted - change_other) as change_currency_rate,
        trim_scale(change_other) as change_other,
        date_day,
        known_on
    from accumulated
    where step_no = 1 or change <> 0
),

final as (
    select
        mart,
        measure,
        nullif(
            concat_ws(
                '; ',
                case when change_late <> 0 then 'late change ' || to_char(change_late, 'FMSG999999999999990.00') end,
                case when change_retracted <> 0 then 'retracted row ' || to_char(change_retracted, 'FMSG999999999999990.00') end,
                case
                    when
                        change_currency_rate <> 0
                        then 'currency rate ' || to_char(change_currency_rate, 'FMSG999999999999990.00')
                end,
                case
                    when
                        change_other <> 0
                        then 'other ' || to_char(change_other, 'FMSG999999999999990.00')
                end
            ),
            ''
        ) as reason,
        as_first_reported,
        as_reported,
        as_known,
        change,
        change_late,
        change_retracted,
        change_currency_rate,
        change_other,
        date_day,
        known_on
    from explained
)

select * from final
