{{
    config(
        unique_key=['mart', 'measure', 'date_day', 'channel', 'region', 'known_on', 'rules_no'],
        scope_column='date_day',
    )
}}

{% call scope() %}
select date_day from {{ changes('fct_ad_stats_daily') }}
union all
select date_day from {{ changes('fct_funnel_daily') }}
union all
select period_start from {{ changes('fct_targets') }}
union all
select month_start from {{ changes('rpt_channel_return') }}
{% endcall %}

{%- set money = [
    'spend', 'platform_conversion_value', 'pipeline_amount', 'won_amount', 'order_amount', 'retail_amount',
] %}
{%- set causes = ['late', 'retracted', 'rule', 'target', 'code', 'other'] %}
{%- set measures = money + [
    'impressions', 'clicks', 'platform_conversions', 'sessions', 'leads', 'mqls', 'sals', 'sqls', 'opportunities', 'won',
    'lost', 'orders',
] %}

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
listed_publications as (
    select
        publication_id,
        build_id,
        reporting_currency,
        known_on
    from {{ ref('stg_ops__publications') }}

    union all

    select
        {{ coming_publication_id() }} as publication_id,
        {{ build_id() }} as build_id,
        {{ reporting_currency() }} as reporting_currency,
        {{ reporting_date(as_of()) }} as known_on
),

changed_builds as (
    select
        build_id,
        bool_or(reason = 'rule') as is_rule,
        bool_or(reason = 'code') as is_code,
        bool_or(reason = 'currency rate') and bool_and(is_same_data) as is_rate_alone
    from {{ ref('stg_ops__build_changes') }}
    group by build_id
),

publications as (
    select
        listed_publications.*,
        coalesce(changed_builds.is_rule, false) as is_rule,
        coalesce(changed_builds.is_code, false) as is_code,
        coalesce(changed_builds.is_rate_alone, false) as is_rate_alone,
        count(changed_builds.build_id) over (order by listed_publications.publication_id) as rules_no
    from listed_publications
    left join changed_builds on listed_publications.build_id = changed_builds.build_id
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
        lag(shown_from) over row_versions as previous_from,
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
        -- The publication in whose currency the causes are.
        case when followed.previous_spend_local <> 0 then followed.previous_from else followed.shown_from end as valued_by,
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
        followed.shown_from as valued_by,
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
        followed.shown_from as valued_by,
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

return_steps as (
    select
        month_start,
        channel,
        region,
        publication_id,
        valued_by,
        sum(revenue * sign) as change
    from (
        {{ shown_steps(
            'rpt_channel_return', ['month_start', 'channel', 'region', 'model', 'revenue'],
            renamed={'region': published_region()}
        ) }}
    ) as steps
    where model = 'linear'
    group by month_start, channel, region, publication_id, valued_by
),

month_ends as (
    select
        months.month_start,
        min(publications.publication_id) as publication_id
    from (select distinct month_start from return_steps) as months
    inner join publications on months.month_start + interval '1 month' <= publications.known_on
    group by months.month_start
),

-- The funnel, the targets and the return: what each publication added to the sum of a day, channel and region.
other_steps as (
    select
        'fct_funnel_daily' as mart,
        moved.date_day,
        moved.channel,
        moved.region,
        named.measure,
        moved.publication_id,
        moved.valued_by,
        named.measure in ('{{ money | join("', '") }}') as is_money,
        false as is_rate,
        named.change
    from (
        select
            date_day,
            channel,
            region,
            publication_id,
            {% for measure in measures -%}
            sum({{ measure }} * sign) as {{ measure }},
            {% endfor -%}
            valued_by
        from (
            {{ shown_steps(
                'fct_funnel_daily', ['date_day', 'channel', 'region'] + measures, renamed={'region': published_region()}
            ) }}
        ) as steps
        group by date_day, channel, region, publication_id, valued_by
    ) as moved
    cross join
        lateral (
            values
            {% for measure in measures -%}
            ('{{ measure }}', moved.{{ measure }}){{ ',' if not loop.last }}
            {% endfor -%}
        ) as named (measure, change)
    where named.change <> 0

    union all

    -- The same amount in its own currency at another rate: that of a future period follows the newest rate.
    select
        'fct_targets' as mart,
        period_start as date_day,
        '(all)' as channel,
        region,
        metric || ' by ' || period_grain || ' of ' || team as measure,
        publication_id,
        valued_by,
        metric in ('spend', '{{ money | join("', '") }}') as is_money,
        sum(sum(target_local * sign)) over (
            partition by period_start, period_grain, team, metric, region, publication_id
        ) = 0 as is_rate,
        sum(target * sign) as change
    from (
        {{ shown_steps(
            'fct_targets', ['period_start', 'period_grain', 'team', 'metric', 'region', 'target'],
            added={'target_local': 'null::numeric'}
        ) }}
    ) as steps
    group by period_start, period_grain, team, metric, region, publication_id, valued_by
    having sum(target * sign) <> 0

    union all

    -- A month is first reported by the first publication after its end: until then its revenue grows.
    select
        'rpt_channel_return' as mart,
        moved.month_start as date_day,
        moved.channel,
        moved.region,
        'revenue' as measure,
        greatest(moved.publication_id, month_ends.publication_id) as publication_id,
        greatest(moved.valued_by, month_ends.publication_id) as valued_by,
        true as is_money,
        false as is_rate,
        sum(moved.change) as change
    from return_steps as moved
    inner join month_ends on moved.month_start = month_ends.month_start
    group by
        moved.month_start,
        moved.channel,
        moved.region,
        greatest(moved.publication_id, month_ends.publication_id),
        greatest(moved.valued_by, month_ends.publication_id)
    having sum(moved.change) <> 0
),

-- A day is reported first by the publication that first shows a row of it, and what comes later in it was 0 until then.
first_publications as (
    select
        mart,
        date_day,
        min(publication_id) as publication_id
    from other_steps
    group by mart, date_day
),

all_steps as (
    select
        'fct_ad_stats_daily' as mart,
        date_day,
        '(all)' as channel,
        '(all)' as region,
        measure,
        publication_id,
        valued_by,
        measure = 'spend' as is_money,
        null::text as reason,
        change,
        late,
        retracted,
        other
    from steps

    union all

    -- A publication with several causes counts for the first of them: what moved which row is not recorded.
    select
        moved.mart,
        moved.date_day,
        moved.channel,
        moved.region,
        moved.measure,
        moved.publication_id,
        moved.valued_by,
        moved.is_money,
        case
            when moved.is_rate then 'currency rate'
            when moved.mart = 'fct_targets' then 'target'
            when publications.is_rule then 'rule'
            when publications.is_code then 'code'
            -- Deals and orders have the rate of other days than the one they count in: without new data that is the rest.
            when publications.is_rate_alone then 'currency rate'
            else 'late change'
        end as reason,
        moved.change,
        0::numeric as late,
        0::numeric as retracted,
        0::numeric as other
    from other_steps as moved
    inner join publications on moved.publication_id = publications.publication_id

    union all

    select
        changed.mart,
        changed.date_day,
        changed.channel,
        changed.region,
        changed.measure,
        first_publications.publication_id,
        first_publications.publication_id as valued_by,
        changed.is_money,
        null as reason,
        0 as change,
        0 as late,
        0 as retracted,
        0 as other
    from (
        select distinct
            of_measure.mart,
            of_measure.date_day,
            of_measure.channel,
            of_measure.region,
            of_measure.measure,
            of_measure.is_money
        from other_steps as of_measure
    ) as changed
    inner join first_publications
        on changed.mart = first_publications.mart and changed.date_day = first_publications.date_day
),

-- The causes of a step in the reporting currency of this build. What they leave of a change is the currency rate.
caused_steps as (
    select
        all_steps.*,
        publications.known_on,
        publications.rules_no,
        case when all_steps.is_money then publications.reporting_currency end as currency_code,
        converted.rate,
        case when all_steps.reason = 'late change' then all_steps.change else all_steps.late end as late_part,
        all_steps.retracted as retracted_part,
        {% for cause in ['rule', 'target', 'code'] -%}
        case when all_steps.reason = '{{ cause }}' then all_steps.change else 0 end as {{ cause }}_part,
        {% endfor -%}
        all_steps.other as other_part
    from all_steps
    inner join publications on all_steps.publication_id = publications.publication_id
    inner join publications as valuing on all_steps.valued_by = valuing.publication_id
    left join {{ ref('int_currency_rates_daily') }} as rates
        on all_steps.date_day = rates.date_day and valuing.reporting_currency = rates.currency_code
    cross join
        lateral (select case when all_steps.is_money then coalesce(rates.rate, 1) else 1 end as rate) as converted
),

-- Of several publications on one day the last one counts, unless settings or rules changed between them.
daily_steps as (
    select
        mart,
        date_day,
        channel,
        region,
        measure,
        known_on,
        rules_no,
        max(currency_code) as currency_code,
        bool_or(rate <> 1) as is_converted,
        {% for cause in causes -%}
        sum({{ cause }}_part * rate) as {{ cause }},
        {% endfor -%}
        sum(change) as change
    from caused_steps
    group by mart, date_day, channel, region, measure, known_on, rules_no
),

accumulated as (
    select
        *,
        row_number() over day_in_order as step_no,
        count(*) filter (where change <> 0) over whole_day as n_changes,
        first_value(change) over day_in_order as as_first_reported,
        first_value(currency_code) over day_in_order as first_reported_currency_code,
        sum(change) over day_in_order as as_reported,
        sum(change) over whole_day as as_known,
        -- Converted parts leave a remainder of the last digit.
        {% for cause in causes -%}
        sum({{ cause }}) over whole_day - sum({{ cause }}) over day_in_order as {{ cause }}_until_now,
        {% endfor -%}
        case when bool_or(is_converted) over whole_day then 8 else 1000 end as digits
    from daily_steps
    window
        whole_day as (partition by mart, date_day, channel, region, measure),
        day_in_order as (
            partition by mart, date_day, channel, region, measure order by rules_no, known_on
        )
),

explained as (
    select
        mart,
        measure,
        channel,
        region,
        case when currency_code is not null then {{ reporting_currency() }} end as currency_code,
        currency_code as reported_currency_code,
        first_reported_currency_code,
        rules_no,
        trim_scale(as_first_reported) as as_first_reported,
        trim_scale(as_reported) as as_reported,
        trim_scale(as_known) as as_known,
        trim_scale(as_known - as_reported) as change,
        {% for cause in causes -%}
        trim_scale(round({{ cause }}_until_now, digits)) as change_{{ cause }},
        {% endfor -%}
        trim_scale(
            round(
                as_known - as_reported
                {%- for cause in causes %}
                - {{ cause }}_until_now
                {%- endfor %},
                least(digits, 12)
            )
        ) as change_currency_rate,
        case when step_no = 1 then coalesce(currency_code <> {{ reporting_currency() }}, false) end as is_in_two_currencies,
        date_day,
        known_on
    from accumulated
    where
        (step_no = 1 or change <> 0)
        -- Of the funnel, the targets and the return only what changed after its first report: a day has hundreds of values.
        and (mart = 'fct_ad_stats_daily' or n_changes > case when as_first_reported <> 0 then 1 else 0 end)
),

final as (
    select
        mart,
        measure,
        channel,
        region,
        currency_code,
        reported_currency_code,
        first_reported_currency_code,
        nullif(
            concat_ws(
                '; ',
                {% for name, cause in [
                    ('late change', 'late'), ('retracted row', 'retracted'), ('currency rate', 'currency_rate'),
                    ('rule', 'rule'), ('target', 'target'), ('code', 'code'), ('other', 'other'),
                ] -%}
                case
                    when change_{{ cause }} <> 0
                        then '{{ name }} ' || to_char(change_{{ cause }}, 'FMSG999999999999990.00')
                end{{ ',' if not loop.last }}
                {% endfor -%}
            ),
            ''
        ) as reason,
        rules_no,
        as_first_reported,
        as_reported,
        as_known,
        change,
        change_late,
        change_retracted,
        change_currency_rate,
        change_rule,
        change_target,
        change_code,
        change_other,
        -- Between two currencies what other reasons moved; 0 in further rows of a value, so that rows can be added.
        case
            when is_in_two_currencies then trim_scale(abs(change - change_currency_rate))
            when not is_in_two_currencies then abs(change)
            else 0
        end as moved,
        date_day,
        known_on
    from explained
)

select * from final
