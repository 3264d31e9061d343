-- Per conversion and model, credits add up to exactly 1 and amounts to the deal's; no touch is credited with what came
-- before it; every conversion has all four models.

with

credits as (
    select * from {{ ref('fct_attribution') }}
    where {{ in_changes_of('fct_attribution', 'conversion_id', 'conversion_id') }}
),

opportunities as not materialized (
    select * from {{ ref('fct_opportunities') }}
),

orders as (
    select
        order_key,
        sum(net_amount) as amount
    from {{ ref('fct_orders') }}
    where order_key in (select converted_key from credits)
    group by order_key
),

sums as (
    select
        credits.conversion_id,
        credits.model,
        sum(credits.credit) as credit,
        sum(credits.credited_amount) as credited_amount,
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
        'credit ' || credit || ', amount ' || coalesce(credited_amount::text, 'null')
        || ' of ' || coalesce(amount::text, 'null') as problem
    from sums
    where credit <> 1 or credited_amount is distinct from amount
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

uncredited as (
    select
        opportunities.opportunity_key as conversion_id,
        'all' as model,
        'conversion without credits' as problem
    from opportunities
    where
        {{ in_changes_of('fct_opportunities', 'opportunity_key', 'opportunities.opportunity_key') }}
        and opportunities.opportunity_type <> 'renewal'
        and (
            select count(*)
            from (
                select distinct
                    attribution.conversion_id,
                    attribution.model
                from {{ ref('fct_attribution') }} as attribution
                where attribution.opportunity_key = opportunities.opportunity_key
            ) as credited
        ) <> case when opportunities.is_won then 8 else 4 end
),

uncredited_orders as (
    select
        orders.order_key as conversion_id,
        'all' as model,
        'order without credits' as problem
    from {{ ref('fct_orders') }} as orders
    where
        {{ in_changes_of('fct_orders', 'order_key', 'orders.order_key') }}
    group by orders.order_key
    having
        (
            select count(distinct attribution.model)
            from {{ ref('fct_attribution') }} as attribution
            where attribution.converted_key = orders.order_key
        ) <> case when bool_and(orders.is_counted and orders.opportunity_key is null) then 4 else 0 end
)

select * from wrong_sums
union all
select * from too_late
union all
select * from uncredited
union all
select * from uncredited_orders
