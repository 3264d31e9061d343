{{
    config(
        unique_key=['conversion_id', 'model', 'touch_id'],
        scope_column='converted_key',
        scope_sql=[
            "select opportunity_key from marts_changes.fct_opportunities",
            "select opportunity_key from marts_changes.int_opportunity_contacts",
            "select opportunity_key
            from intermediate.int_opportunity_contacts
            where person_key in (select person_key from marts_changes.fct_touchpoints)",
            "select order_key from marts_changes.fct_orders",
            "select order_key
            from marts.fct_orders
            where person_key in (select person_key from marts_changes.fct_touchpoints)",
        ],
        track=['converted_month'],
        indexes=[{'columns': ['converted_key']}, {'columns': ['opportunity_key']}, {'columns': ['converted_month']}],
    )
}}

with

opportunities as (
    select * from {{ ref('fct_opportunities') }}
    where opportunity_type <> 'renewal' and {{ in_scope('opportunity_key') }}
),

-- What an order bills for an opportunity is the opportunity's conversion.
orders as (
    select
        order_key,
        person_key,
        region,
        ordered_at,
        sum(net_amount) as amount
    from {{ ref('fct_orders') }}
    where is_counted and opportunity_key is null and {{ in_scope('order_key') }}
    group by order_key, person_key, region, ordered_at
),

contacts as (
    select distinct
        opportunity_key as converted_key,
        person_key
    from {{ ref('int_opportunity_contacts') }}
    where person_key is not null and {{ in_scope('opportunity_key') }}

    union all

    select
        order_key as converted_key,
        person_key
    from orders
    where person_key is not null
),

touchpoints as (
    select * from {{ ref('fct_touchpoints') }}
),

conversions as (
    select
        opportunity_key || ':opportunity' as conversion_id,
        opportunity_key as converted_key,
        opportunity_key,
        'opportunity' as conversion_type,
        region,
        amount,
        created_at as converted_at
    from opportunities

    union all

    select
        opportunity_key || ':won' as conversion_id,
        opportunity_key as converted_key,
        opportunity_key,
        'won' as conversion_type,
        region,
        amount,
        closed_at as converted_at
    from opportunities
    where is_won

    union all

    select
        order_key || ':order' as conversion_id,
        order_key as converted_key,
        null::text as opportunity_key,
        'order' as conversion_type,
        region,
        amount,
        ordered_at as converted_at
    from orders
),

-- A touch counts only before what it led to; equal times are put in order by source and touch id.
paths as (
    select
        conversions.conversion_id,
        touchpoints.touch_id,
        touchpoints.channel,
        touchpoints.campaign_key,
        row_number() over (
            partition by conversions.conversion_id
            order by touchpoints.touched_at, touchpoints.source_system, touchpoints.touch_id
        ) as touch_no,
        count(*) over (partition by conversions.conversion_id) as n_touches
    from conversions
    inner join contacts on conversions.converted_key = contacts.converted_key
    inner join touchpoints
        on contacts.person_key = touchpoints.person_key and conversions.converted_at > touchpoints.touched_at
),

weighted as (
    select
        paths.conversion_id,
        paths.touch_id,
        paths.channel,
        paths.campaign_key,
        paths.touch_no,
        paths.n_touches,
        weights.model,
        weights.weight
    from paths
    cross join lateral (
        values
        ('first', case when paths.touch_no = 1 then 1 else 0 end),
        ('last', case when paths.touch_no = paths.n_touches then 1 else 0 end),
        ('linear', round(1.0 / paths.n_touches, 12)),
        (
            'position',
            case
                when paths.n_touches = 1 then 1
                when paths.n_touches = 2 then 0.5
                when paths.touch_no in (1, paths.n_touches) then 0.4
                else round(0.2 / (paths.n_touches - 2), 12)
            end
        )
    ) as weights (model, weight)
),

-- Thirds do not add up to one in decimals: the last touch takes what rounding left.
credited as (
    select
        conversion_id,
        touch_id,
        channel,
        campaign_key,
        model,
        case
            when touch_no = n_touches
                then 1 - (sum(weight) over (partition by conversion_id, model) - weight)
            else weight
        end as credit
    from weighted
),

unattributed as (
    select
        conversions.conversion_id,
        '(unattributed)' as touch_id,
        '(unattributed)' as channel,
        '(no campaign)' as campaign_key,
        models.model,
        1::numeric as credit
    from conversions
    cross join (values ('first'), ('last'), ('linear'), ('position')) as models (model)
    where not exists (
        select 1 from paths
        where paths.conversion_id = conversions.conversion_id
    )
),

credits as (
    select * from credited
    union all
    select * from unattributed
),

final as (
    select
        conversions.conversion_id,
        conversions.converted_key,
        conversions.opportunity_key,
        credits.touch_id,
        credits.campaign_key,
        conversions.conversion_type,
        credits.model,
        credits.channel,
        conversions.region,
        trim_scale(credits.credit) as credit,
        trim_scale(conversions.amount * credits.credit) as credited_amount,
        conversions.converted_at,
        date_trunc('month', {{ reporting_date('conversions.converted_at') }}::timestamp)::date as converted_month
    from credits
    inner join conversions on credits.conversion_id = conversions.conversion_id
)

select * from final
