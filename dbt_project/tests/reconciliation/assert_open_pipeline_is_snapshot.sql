-- Every deal that is open and was never closed has one row on each new day since its creation: a deal without changes
-- stays in the pipeline.

{%- set is_told = not is_full_build() or not has_published_days('fct_opportunities_daily') %}

with

new_days as (
    {% if is_full_build() -%}
    select {{ last_day() }} as date_day
    {%- else -%}
    select distinct date_day from {{ changes('fct_opportunities_daily') }}
    {%- endif %}
),

-- A deal that became known after a day was published has no row of that day and gets none.
open_deals as (
    select opportunities.*
    from {{ ref('fct_opportunities') }} as opportunities
    where opportunities.closed_date is null and {{ is_told }}
)

select
    new_days.date_day,
    open_deals.opportunity_key
from new_days
inner join open_deals on new_days.date_day >= open_deals.created_date
left join {{ ref('fct_opportunities_daily') }} as snapshots
    on new_days.date_day = snapshots.date_day and open_deals.opportunity_key = snapshots.opportunity_key
where
    snapshots.opportunity_key is null
    and not exists (
        select 1 from {{ ref('int_opportunity_states') }} as states
        where states.opportunity_key = open_deals.opportunity_key and states.is_closed
    )
