{{
    config(
        unique_key=['month_start', 'conversion_type', 'channel'],
        scope_column='month_start',
    )
}}

{% call scope() %}
select converted_month from {{ changes('fct_attribution') }}
union all
select month_start from {{ changes_of_statistic('removal_effects') }}
{% endcall %}

with

effects as (
    select * from {{ ref('stg_statistics__removal_effects') }}
    where {{ in_scope('month_start') }}
),

credits as (
    select
        converted_month as month_start,
        conversion_type,
        channel,
        sum(credit) as conversions
    from {{ ref('fct_attribution') }}
    where model = 'markov' and {{ in_scope('converted_month') }}
    group by converted_month, conversion_type, channel
),

channels as (
    select
        month_start,
        conversion_type,
        channel,
        effects.removal_effect,
        coalesce(credits.conversions, 0) as conversions_by_path,
        effects.channel is null as is_without_effect
    from effects
    full outer join credits using (month_start, conversion_type, channel)
),

shared as (
    select
        *,
        sum(conversions_by_path) filter (where not is_without_effect) over chain as n_conversions,
        sum(removal_effect) over chain as all_effects
    from channels
    window chain as (partition by month_start, conversion_type)
),

-- A conversion without a touch is in no chain: it is in a row of its own in both counts.
final as (
    select
        conversion_type,
        channel,
        removal_effect,
        case
            when is_without_effect then conversions_by_path
            else coalesce(trim_scale(round(n_conversions * removal_effect / nullif(all_effects, 0), 12)), 0)
        end as conversions_by_chain,
        trim_scale(conversions_by_path) as conversions_by_path,
        month_start
    from shared
)

select * from final
