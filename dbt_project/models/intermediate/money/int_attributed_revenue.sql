{{
    config(
        unique_key=['month_start', 'region'],
        scope_column='month_start',
    )
}}

{% call scope() %}
select converted_month from {{ changes('fct_attribution') }}
{% endcall %}

with

credits as (
    select * from {{ ref('fct_attribution') }}
    where conversion_type = 'won' and model = 'linear' and {{ in_scope('converted_month') }}
),

channels as (
    select * from {{ ref('dim_channels') }}
),

final as (
    select
        credits.region,
        trim_scale(sum(credits.credited_amount)) as credited_amount,
        trim_scale(coalesce(sum(credits.credited_amount) filter (where channels.owner_team = 'marketing'), 0))
            as marketing_amount,
        credits.converted_month as month_start
    from credits
    left join channels on credits.channel = channels.channel
    group by credits.region, credits.converted_month
)

select * from final
