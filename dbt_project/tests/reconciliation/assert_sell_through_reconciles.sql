{{ config(tags=["full_build"]) }}

-- Units landed equal units in the mart, and the value of weeks equals the value of their days.

with

landed as (
    select sum(units_sold) as units_sold from {{ ref('stg_files__sell_through') }}
),

weeks as (
    select
        sum(units_sold) as units_sold,
        sum(sales_amount) as sales_amount
    from {{ ref('fct_sell_through_weekly') }}
),

days as (
    select sum(retail_amount) as retail_amount from {{ ref('fct_funnel_daily') }}
),

final as (
    select
        landed.units_sold as landed_units,
        weeks.units_sold as shown_units,
        weeks.sales_amount as week_amount,
        days.retail_amount as day_amount
    from landed
    cross join weeks
    cross join days
)

select * from final
where
    landed_units is distinct from shown_units
    or coalesce(week_amount, 0) <> coalesce(day_amount, 0)
