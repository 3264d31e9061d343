{{
    config(
        unique_key=['month_start', 'conversion_type', 'from_channel', 'to_channel'],
        scope_column='month_start',
    )
}}

{% call scope() %}
select converted_month from {{ changes('int_conversion_touches') }}
union all
select ended_month from {{ changes('int_lead_endings') }}
union all
-- A silence counts once it has lasted for the whole time.
select generate_series(
    date_trunc('month', {{ published_as_of() }} at time zone {{ reporting_timezone() }}),
    date_trunc('month', {{ as_of() }} at time zone {{ reporting_timezone() }}),
    interval '1 month'
)::date
{% endcall %}

with

conversion_touches as (
    select * from {{ ref('int_conversion_touches') }}
    where n_touches > 0 and {{ in_scope('converted_month') }}
),

-- A silence counts once it has lasted for the whole time: what is after as_of has not happened yet.
lead_endings as (
    select * from {{ ref('int_lead_endings') }}
    where ended_at < {{ as_of() }} and {{ in_scope('ended_month') }}
),

converted_steps as (
    select
        converted_month as month_start,
        conversion_type,
        touch_no,
        n_touches,
        channel,
        lead(channel) over (partition by conversion_id order by touch_no) as next_channel
    from conversion_touches
),

unconverted as (
    select
        lead_endings.ended_month as month_start,
        types.conversion_type,
        lead_endings.channels
    from lead_endings
    cross join
        lateral (
            values
            ('opportunity', lead_endings.is_without_opportunity),
            ('won', true),
            ('order', lead_endings.is_without_order)
        ) as types (conversion_type, is_unconverted)
    where types.is_unconverted
),

unconverted_journeys as (
    select
        month_start,
        conversion_type,
        channels,
        count(*) as journeys
    from unconverted
    group by month_start, conversion_type, channels
),

unconverted_steps as (
    select
        unconverted_journeys.month_start,
        unconverted_journeys.conversion_type,
        unconverted_journeys.journeys,
        steps.touch_no,
        steps.channel,
        unconverted_journeys.channels[steps.touch_no + 1] as next_channel
    from unconverted_journeys
    cross join lateral unnest(unconverted_journeys.channels) with ordinality as steps (channel, touch_no)
),

counted as (
    select
        month_start,
        conversion_type,
        '(start)' as from_channel,
        channel as to_channel,
        count(*) as transitions
    from converted_steps
    where touch_no = 1
    group by month_start, conversion_type, channel

    union all

    select
        month_start,
        conversion_type,
        channel as from_channel,
        coalesce(next_channel, '(conversion)') as to_channel,
        count(*) as transitions
    from converted_steps
    where channel is distinct from next_channel
    group by month_start, conversion_type, channel, next_channel

    union all

    select
        month_start,
        conversion_type,
        '(start)' as from_channel,
        channel as to_channel,
        sum(journeys) as transitions
    from unconverted_steps
    where touch_no = 1
    group by month_start, conversion_type, channel

    union all

    select
        month_start,
        conversion_type,
        channel as from_channel,
        coalesce(next_channel, '(null)') as to_channel,
        sum(journeys) as transitions
    from unconverted_steps
    group by month_start, conversion_type, channel, next_channel
),

final as (
    select
        month_start,
        conversion_type,
        from_channel,
        to_channel,
        sum(transitions)::bigint as transitions
    from counted
    group by month_start, conversion_type, from_channel, to_channel
)

select * from final
