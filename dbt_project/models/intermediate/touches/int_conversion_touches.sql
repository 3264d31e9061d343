{{
    config(
        unique_key=['conversion_id', 'touch_id'],
        scope_column='converted_key',
        track=['converted_key', 'converted_month', 'conversion_type'],
        indexes=[{'columns': ['converted_key']}, {'columns': ['converted_month']}],
    )
}}

{% call scope() %}
select opportunity_key from {{ changes('fct_opportunities') }}
union all
select opportunity_key from {{ changes('int_opportunity_contacts') }}
union all
select opportunity_key
from {{ ref('int_opportunity_contacts') }}
where {{ is_touched('person_key', 'fct_touchpoints') }}
union all
select opportunity_key
from {{ ref('fct_opportunities') }}
where {{ is_touched('person_key', 'fct_touchpoints') }}
union all
select opportunity_key
from {{ ref('fct_opportunities') }}
where {{ is_touched('lead_key', 'fct_leads') }}
union all
select order_key from {{ changes('fct_orders') }}
union all
select order_key
from {{ ref('fct_orders') }}
where {{ is_touched('person_key', ['fct_touchpoints', 'fct_leads']) }}
{% endcall %}

with

opportunities as (
    select * from {{ ref('fct_opportunities') }}
    where opportunity_type <> 'renewal' and {{ in_scope('opportunity_key') }}
),

-- An order that bills an opportunity is part of the opportunity's conversion.
orders as (
    select
        order_key,
        person_key,
        region,
        ordered_at,
        sum(net_amount) as amount
    from {{ ref('fct_orders') }}
    where is_revenue and {{ in_scope('order_key') }}
    group by order_key, person_key, region, ordered_at
),

leads as (
    select * from {{ ref('fct_leads') }}
),

-- A file names no contacts: the person of its deal is that of the lead or person that it states.
contacts as (
    select
        opportunity_key as converted_key,
        person_key
    from {{ ref('int_opportunity_contacts') }}
    where person_key is not null and {{ in_scope('opportunity_key') }}

    union

    select
        opportunity_key as converted_key,
        person_key
    from opportunities
    where person_key is not null

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

order_leads as (
    select distinct on (orders.order_key)
        orders.order_key,
        leads.created_at
    from orders
    inner join leads on orders.person_key = leads.person_key and orders.ordered_at >= leads.created_at
    order by orders.order_key, leads.created_at desc
),

conversions as (
    select
        opportunities.opportunity_key || ':opportunity' as conversion_id,
        opportunities.opportunity_key as converted_key,
        opportunities.opportunity_key,
        'opportunity' as conversion_type,
        opportunities.region,
        opportunities.amount,
        leads.created_at as lead_created_at,
        opportunities.created_at as opportunity_created_at,
        opportunities.created_at as converted_at
    from opportunities
    left join leads on opportunities.lead_key = leads.lead_key

    union all

    select
        opportunities.opportunity_key || ':won' as conversion_id,
        opportunities.opportunity_key as converted_key,
        opportunities.opportunity_key,
        'won' as conversion_type,
        opportunities.region,
        opportunities.amount,
        leads.created_at as lead_created_at,
        opportunities.created_at as opportunity_created_at,
        opportunities.closed_at as converted_at
    from opportunities
    left join leads on opportunities.lead_key = leads.lead_key
    where opportunities.is_won

    union all

    select
        orders.order_key || ':order' as conversion_id,
        orders.order_key as converted_key,
        null::text as opportunity_key,
        'order' as conversion_type,
        orders.region,
        orders.amount,
        order_leads.created_at as lead_created_at,
        null::timestamptz as opportunity_created_at,
        orders.ordered_at as converted_at
    from orders
    left join order_leads on orders.order_key = order_leads.order_key
),

-- A touch counts only before the conversion and inside the window; equal times are ordered by source and touch id.
paths as (
    select
        conversions.conversion_id,
        touchpoints.touch_id,
        touchpoints.channel,
        touchpoints.campaign_key,
        touchpoints.touched_at,
        row_number() over (
            partition by conversions.conversion_id
            order by touchpoints.touched_at, touchpoints.source_system, touchpoints.touch_id
        ) as touch_no,
        count(*) over whole_path as n_touches,
        -- The latest touch at or before the milestone: in time order, the number of touches until then.
        count(*) filter (where conversions.lead_created_at >= touchpoints.touched_at) over whole_path as lead_touch_no,
        count(*) filter (where conversions.opportunity_created_at > touchpoints.touched_at) over whole_path
            as opportunity_touch_no
    from conversions
    inner join contacts on conversions.converted_key = contacts.converted_key
    inner join touchpoints
        on
            contacts.person_key = touchpoints.person_key
            and conversions.converted_at > touchpoints.touched_at
            and conversions.converted_at - interval '{{ var("attribution_window_days") }} days' <= touchpoints.touched_at
    window whole_path as (partition by conversions.conversion_id)
),

final as (
    select
        conversions.conversion_id,
        coalesce(paths.touch_id, '(unattributed)') as touch_id,
        conversions.converted_key,
        conversions.opportunity_key,
        coalesce(paths.campaign_key, '(no campaign)') as campaign_key,
        conversions.conversion_type,
        coalesce(paths.channel, '(unattributed)') as channel,
        conversions.region,
        paths.touch_no::integer as touch_no,
        coalesce(paths.n_touches, 0)::integer as n_touches,
        nullif(paths.lead_touch_no, 0)::integer as lead_touch_no,
        nullif(paths.opportunity_touch_no, 0)::integer as opportunity_touch_no,
        conversions.amount,
        paths.touched_at,
        conversions.converted_at,
        date_trunc('month', {{ reporting_date('conversions.converted_at') }}::timestamp)::date as converted_month
    from conversions
    left join paths on conversions.conversion_id = paths.conversion_id
)

select * from final
