{{
    config(
        unique_key=['date_day', 'property_id', 'channel', 'campaign_key', 'country_id'],
        scope_column='date_day',
    )
}}

{% call scope() %}
select date_day from {{ changes('int_web_sessions') }}
{% endcall %}

with

sessions as (
    select * from {{ ref('int_web_sessions') }}
    where {{ in_scope('date_day') }}
),

final as (
    select
        property_id,
        campaign_key,
        country_id,
        channel,
        region,
        sum(sessions)::bigint as sessions,
        sum(engaged_sessions)::bigint as engaged_sessions,
        sum(users)::bigint as users,
        trim_scale(sum(key_events)) as key_events,
        bool_or(is_thresholded) as is_thresholded,
        bool_or(has_other_row) as has_other_row,
        bool_or(is_sampled) as is_sampled,
        date_day
    from sessions
    group by property_id, campaign_key, country_id, channel, region, date_day
)

select * from final
