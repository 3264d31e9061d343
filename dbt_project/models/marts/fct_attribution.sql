{{
    config(
        unique_key=['conversion_id', 'model', 'touch_id'],
        scope_column='_computed_key',
        track=['converted_key', 'converted_month', 'touched_month'],
        indexes=[{'columns': ['_computed_key']}, {'columns': ['converted_month']}, {'columns': ['touched_month']}],
    )
}}

{% call scope() %}
select converted_key from {{ changes('int_conversion_touches') }}
union all
select 'markov:' || converted_key from {{ changes('int_conversion_touches') }}
union all
select 'markov:' || touches.converted_key
from {{ changes_of_statistic('removal_effects') }} as effects
inner join {{ ref('int_conversion_touches') }} as touches
    on effects.month_start = touches.converted_month and effects.conversion_type = touches.conversion_type
{% endcall %}

with

conversion_touches as (
    select * from {{ ref('int_conversion_touches') }}
    {% if not is_full_build() -%}
    where converted_key = any(array(select replace(scope_key, 'markov:', '') from {{ this.identifier }}__scope))
    {%- endif %}
),

removal_effects as (
    select * from {{ ref('stg_statistics__removal_effects') }}
),

-- One pass over the touches: each touch has the figures of its path that the models need.
described as (
    select
        touches.*,
        effects.removal_effect,
        touches.touch_no = 1 as is_first,
        touches.touch_no = touches.n_touches as is_last,
        touches.touch_no = coalesce(
            max(touches.touch_no) filter (where touches.channel <> 'Direct') over whole_path, touches.n_touches
        ) as is_last_non_direct,
        coalesce(touches.touch_no = touches.lead_touch_no, false) as is_lead_creation,
        coalesce(touches.touch_no = touches.opportunity_touch_no, false) as is_opportunity_creation,
        -- The creation of an opportunity is not a close.
        touches.touch_no = touches.n_touches and touches.conversion_type <> 'opportunity' as is_close,
        power(
            2.0,
            -extract(epoch from touches.converted_at - touches.touched_at)
            / (86400.0 * {{ var('attribution_half_life_days') }})
        ) as decay,
        count(*) over (partition by touches.conversion_id, touches.channel) as n_channel_touches
    from conversion_touches as touches
    left join removal_effects as effects
        on
            touches.converted_month = effects.month_start
            and touches.conversion_type = effects.conversion_type
            and touches.channel = effects.channel
    where touches.n_touches > 0
    window whole_path as (partition by touches.conversion_id)
),

-- The touches that are not milestones share the rest of a shape.
milestones as (
    select
        *,
        count(*) filter (where not (is_first or is_lead_creation)) over whole_path as n_rest_u,
        count(*) filter (where not (is_first or is_lead_creation or is_opportunity_creation)) over whole_path as n_rest_w,
        count(*) filter (
            where not (is_first or is_lead_creation or is_opportunity_creation or is_close)
        ) over whole_path as n_rest_full
    from described
    window whole_path as (partition by conversion_id)
),

shaped as (
    select
        *,
        0.4 * is_first::integer + 0.4 * is_lead_creation::integer
        + case when is_first or is_lead_creation then 0 else 0.2 / n_rest_u end as u_shape,
        0.3 * is_first::integer + 0.3 * is_lead_creation::integer + 0.3 * is_opportunity_creation::integer
        + case when is_first or is_lead_creation or is_opportunity_creation then 0 else 0.1 / n_rest_w end as w_shape,
        0.225 * is_first::integer + 0.225 * is_lead_creation::integer + 0.225 * is_opportunity_creation::integer
        + 0.225 * is_close::integer
        + case
            when is_first or is_lead_creation or is_opportunity_creation or is_close then 0
            else 0.1 / n_rest_full
        end as full_shape
    from milestones
),

-- Shares of the path's total: a milestone that is missing on the path, and a rest without touches, give their shares to
-- the others.
weighed as (
    select
        *,
        is_first::integer::numeric as first_weight,
        is_last::integer::numeric as last_weight,
        is_last_non_direct::integer::numeric as last_non_direct_weight,
        round(1.0 / n_touches, 12) as linear_weight,
        case
            when n_touches <= 2 then round(1.0 / n_touches, 12)
            when is_first or is_last then 0.4
            else round(0.2 / (n_touches - 2), 12)
        end as position_weight,
        round(decay / sum(decay) over whole_path, 12) as time_decay_weight,
        round(u_shape / sum(u_shape) over whole_path, 12) as u_shaped_weight,
        round(w_shape / sum(w_shape) over whole_path, 12) as w_shaped_weight,
        round(full_shape / sum(full_shape) over whole_path, 12) as full_path_weight,
        -- Each distinct channel gets its part of the path, shared evenly by its touches. If a channel of the path has no
        -- removal effect, the path has no credit by this model, and the audit reports it.
        case
            when count(removal_effect) over whole_path = n_touches
                then round(
                    removal_effect / n_channel_touches
                    / nullif(sum(removal_effect / n_channel_touches) over whole_path, 0), 12
                )
        end as markov_weight,
        round(
            1.0 / n_channel_touches / sum(1.0 / n_channel_touches) over whole_path, 12
        ) as shapley_weight
    from shaped
    window whole_path as (partition by conversion_id)
),

-- Thirds do not add up to one in decimals: the last touch takes the rounding difference.
credited as (
    select
        conversion_id,
        touch_id,
        converted_key,
        opportunity_key,
        campaign_key,
        conversion_type,
        channel,
        region,
        amount,
        touched_at,
        converted_at,
        converted_month,
        case when is_last then 1 - sum(first_weight) over whole_path + first_weight else first_weight end as first_credit,
        case when is_last then 1 - sum(last_weight) over whole_path + last_weight else last_weight end as last_credit,
        case
            when is_last then 1 - sum(last_non_direct_weight) over whole_path + last_non_direct_weight else last_non_direct_weight
        end as last_non_direct_credit,
        case when is_last then 1 - sum(linear_weight) over whole_path + linear_weight else linear_weight end as linear_credit,
        case when is_last then 1 - sum(position_weight) over whole_path + position_weight else position_weight end
            as position_credit,
        case when is_last then 1 - sum(time_decay_weight) over whole_path + time_decay_weight else time_decay_weight end
            as time_decay_credit,
        case when is_last then 1 - sum(u_shaped_weight) over whole_path + u_shaped_weight else u_shaped_weight end
            as u_shaped_credit,
        case when is_last then 1 - sum(w_shaped_weight) over whole_path + w_shaped_weight else w_shaped_weight end
            as w_shaped_credit,
        case when is_last then 1 - sum(full_path_weight) over whole_path + full_path_weight else full_path_weight end
            as full_path_credit,
        case when is_last then 1 - sum(markov_weight) over whole_path + markov_weight else markov_weight end as markov_credit,
        case when is_last then 1 - sum(shapley_weight) over whole_path + shapley_weight else shapley_weight end as shapley_credit
    from weighed
    window whole_path as (partition by conversion_id)
),

credits as (
    select
        credited.conversion_id,
        credited.touch_id,
        credited.converted_key,
        credited.opportunity_key,
        credited.campaign_key,
        credited.conversion_type,
        models.model,
        credited.channel,
        credited.region,
        credited.amount,
        models.credit,
        credited.touched_at,
        credited.converted_at,
        credited.converted_month
    from credited
    cross join
        lateral (
            values
            ('first', credited.first_credit),
            ('last', credited.last_credit),
            ('last_non_direct', credited.last_non_direct_credit),
            ('linear', credited.linear_credit),
            ('position', credited.position_credit),
            ('time_decay', credited.time_decay_credit),
            ('u_shaped', credited.u_shaped_credit),
            ('w_shaped', credited.w_shaped_credit),
            ('full_path', credited.full_path_credit),
            ('markov', credited.markov_credit),
            ('shapley', credited.shapley_credit)
        ) as models (model, credit)

    union all

    select
        touches.conversion_id,
        touches.touch_id,
        touches.converted_key,
        touches.opportunity_key,
        touches.campaign_key,
        touches.conversion_type,
        models.model,
        touches.channel,
        touches.region,
        touches.amount,
        1::numeric as credit,
        touches.touched_at,
        touches.converted_at,
        touches.converted_month
    from conversion_touches as touches
    cross join (values {{ attribution_models() }}) as models (model)
    where touches.n_touches = 0
),

final as (
    select
        conversion_id,
        converted_key,
        case when model = 'markov' then 'markov:' || converted_key else converted_key end as _computed_key,
        opportunity_key,
        touch_id,
        campaign_key,
        conversion_type,
        model,
        channel,
        region,
        trim_scale(credit) as credit,
        trim_scale(amount * credit) as credited_amount,
        converted_at,
        converted_month,
        coalesce(date_trunc('month', {{ reporting_date('touched_at') }}::timestamp)::date, converted_month) as touched_month
    from credits
)

select * from final
{% if not is_full_build() -%}
where {{ in_scope('_computed_key') }}
{%- endif %}
