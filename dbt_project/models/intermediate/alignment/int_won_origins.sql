{{
    config(
        unique_key=['opportunity_key'],
        scope_column='opportunity_key',
        track=['quarter_start'],
        indexes=[{'columns': ['quarter_start']}],
    )
}}

{% call scope() %}
select opportunity_key from {{ changes('fct_opportunities') }}
union all
select opportunity_key from {{ changes('int_opportunity_contacts') }}
union all
select opportunity_key
from {{ ref('int_opportunity_contacts') }}
where {{ is_touched('person_key', 'int_touches') }}
union all
select opportunity_key
from {{ ref('fct_opportunities') }}
where {{ is_touched('person_key', 'int_touches') }}
{% endcall %}

with

won as (
    select * from {{ ref('fct_opportunities') }}
    where is_won and opportunity_type <> 'renewal' and {{ in_scope('opportunity_key') }}
),

contacts as (
    select
        opportunity_key,
        person_key
    from {{ ref('int_opportunity_contacts') }}
    where person_key is not null and {{ in_scope('opportunity_key') }}

    union

    select
        opportunity_key,
        person_key
    from won
    where person_key is not null
),

touches as (
    select
        won.opportunity_key,
        touchpoints.touch_id,
        touchpoints.source_system,
        coalesce(touchpoints.owner_team = 'marketing', false) as is_marketing,
        touchpoints.is_person_creating and touchpoints.touched_at < won.created_at as is_origin,
        touchpoints.touched_at
    from won
    inner join contacts on won.opportunity_key = contacts.opportunity_key
    inner join {{ ref('fct_touchpoints') }} as touchpoints on contacts.person_key = touchpoints.person_key
    -- A deal that was booked late closes before its creation: its causes are before the earlier of both.
    where touchpoints.touched_at < greatest(won.created_at, won.closed_at)
),

origins as (
    select distinct on (opportunity_key)
        opportunity_key,
        is_marketing
    from touches
    where is_origin
    order by opportunity_key, touched_at, source_system, touch_id
),

influences as (
    select
        opportunity_key,
        bool_or(is_marketing) as is_marketing
    from touches
    group by opportunity_key
),

final as (
    select
        won.opportunity_key,
        -- Each deal without an account counts as a customer of its own.
        coalesce(won.account_key, won.opportunity_key) as customer_key,
        won.region,
        coalesce(won.amount, 0) as amount,
        coalesce(origins.is_marketing, false) as is_sourced,
        coalesce(influences.is_marketing, false) as is_influenced,
        {{ month_of('won.closed_date') }} as month_start,
        date_trunc('quarter', won.closed_date::timestamp)::date as quarter_start
    from won
    left join origins on won.opportunity_key = origins.opportunity_key
    left join influences on won.opportunity_key = influences.opportunity_key
)

select * from final
