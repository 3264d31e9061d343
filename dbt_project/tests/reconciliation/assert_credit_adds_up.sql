-- Per conversion and model, credits add up to exactly 1 and amounts to the deal's amount; a touch gets no credit for an
-- earlier conversion; every conversion has every model.

with

credits as not materialized (
    select * from {{ ref('fct_attribution') }}
    where {{ is_touched('conversion_id', 'fct_attribution') }}
),

opportunities as not materialized (
    select * from {{ ref('fct_opportunities') }}
),

orders as (
    select
        order_key,
        sum(net_amount) as amount,
        bool_and(is_revenue) as is_conversion
    from {{ ref('fct_orders') }}
    where {{ is_touched('order_key', 'fct_attribution', column='converted_key') }}
    group by order_key
),

sums as (
    select
        credits.conversion_id,
        credits.model,
        sum(credits.credit) as credit,
        sum(credits.credited_amount) as credited_amount,
        count(*) filter (where credits.credit is null) as n_without,
        min(coalesce(opportunities.amount, orders.amount)) as amount
    from credits
    left join opportunities on credits.opportunity_key = opportunities.opportunity_key
    left join orders on credits.converted_key = orders.order_key
    group by credits.conversion_id, credits.model
),

wrong_sums as (
    select
        conversion_id,
        model,
        'credit ' || coalesce(credit::text, 'null') || ', amount ' || coalesce(credited_amount::text, 'null')
        || ' of ' || coalesce(amount::text, 'null') as problem
    from sums
    where credit is distinct from 1 or n_without > 0 or credited_amount is distinct from amount
),

too_late as (
    select
        credits.conversion_id,
        credits.model,
        'touch ' || credits.touch_id || ' came after the conversion' as problem
    from credits
    inner join {{ ref('fct_touchpoints') }} as touchpoints on credits.touch_id = touchpoints.touch_id
    where touchpoints.touched_at >= credits.converted_at
),

expected as (
    select opportunity_key || ':opportunity' as conversion_id
    from opportunities
    where
        {{ is_touched('opportunity_key', 'fct_opportunities') }}
        and opportunity_type <> 'renewal'

    union all

    select opportunity_key || ':won' as conversion_id
    from opportunities
    where
        {{ is_touched('opportunity_key', 'fct_opportunities') }}
        and opportunity_type <> 'renewal'
        and is_won

    union all

    select order_key || ':order' as conversion_id
    from {{ ref('fct_orders') }}
    where
        {{ is_touched('order_key', 'fct_orders') }}
        and is_revenue
    group by order_key
),

uncredited as (
    select
        expected.conversion_id,
        models.model,
        'conversion without credits' as problem
    from expected
    cross join (values {{ attribution_models() }}) as models (model)
    where not exists (
        select 1 from {{ ref('fct_attribution') }} as attribution
        where attribution.conversion_id = expected.conversion_id and attribution.model = models.model
    )
),

-- Former conversions, such as an order that was cancelled.
unexpected as (
    select distinct
        credits.conversion_id,
        credits.model,
        'credits without a conversion' as problem
    from credits
    left join opportunities on credits.converted_key = opportunities.opportunity_key
    left join orders on credits.converted_key = orders.order_key
    where
        case credits.conversion_type
            when 'order' then not coalesce(orders.is_conversion, false)
            else
                opportunities.opportunity_key is null
                or opportunities.opportunity_type = 'renewal'
                or (credits.conversion_type = 'won' and not opportunities.is_won)
        end
)

select * from wrong_sums
union all
select * from too_late
union all
select * from uncredited
union all
select * from unexpected
