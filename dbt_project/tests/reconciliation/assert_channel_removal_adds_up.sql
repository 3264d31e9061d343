-- No conversion is lost or invented by either count of rpt_channel_removal: both add up to the conversions of the month.

with

conversions as (
    select
        converted_month as month_start,
        conversion_type,
        count(distinct conversion_id) as n_conversions
    from {{ ref('fct_attribution') }}
    where model = 'markov' and {{ is_touched('converted_month', 'fct_attribution') }}
    group by converted_month, conversion_type
),

shown as (
    select
        month_start,
        conversion_type,
        sum(conversions_by_chain) as by_chain,
        sum(conversions_by_path) as by_path
    from {{ ref('rpt_channel_removal') }}
    group by month_start, conversion_type
)

select
    conversions.month_start,
    conversions.conversion_type,
    conversions.n_conversions,
    shown.by_chain,
    shown.by_path
from conversions
left join shown using (month_start, conversion_type)
where
    shown.by_path is distinct from conversions.n_conversions
    or coalesce(abs(shown.by_chain - conversions.n_conversions), 1) > 0.000001
