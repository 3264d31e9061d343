{{
    config(
        unique_key=['month_start', 'region', 'channel'],
        scope_column='month_start',
    )
}}

{% call scope() %}
select months.month_start::date
from (
    select
        created_date,
        coalesce(closed_date, {{ as_of() }}::date + 1) as last_date
    from {{ changes('fct_opportunities') }}
) as changed
cross join lateral generate_series(
    date_trunc('month', least(changed.created_date, changed.last_date)::timestamp),
    changed.last_date::timestamp,
    interval '1 month'
) as months (month_start)
union all
select months.month_start::date
from generate_series(
    (select max(month_start) from {{ this }})::timestamp,
    ({{ as_of() }}::date + 1)::timestamp,
    interval '1 month'
) as months (month_start)
{% endcall %}

with

opportunities as (
    select * from {{ ref('fct_opportunities') }}
    where opportunity_type = 'new_business'
),

-- Months that began before as_of, from the first deal on.
months as (
    select
        series.month_start::date as month_start,
        (series.month_start + interval '1 month')::date as next_month
    from
        generate_series(
            (select {{ month_of('min(least(created_date, closed_date))') }} from opportunities)::timestamp,
            ({{ reporting_date(as_of()) }} - 1)::timestamp,
            interval '1 month'
        ) as series (month_start)
    where {{ in_scope('series.month_start::date') }}
),

stock as (
    select
        months.month_start,
        opportunities.region,
        opportunities.channel,
        count(*) as open_opportunities
    from months
    inner join opportunities
        on
            months.next_month > opportunities.created_date
            and (opportunities.is_open or months.next_month <= opportunities.closed_date)
    group by months.month_start, opportunities.region, opportunities.channel
),

-- A deal that was closed before its creation has no cycle length to average.
closed as (
    select
        months.month_start,
        opportunities.region,
        opportunities.channel,
        count(*) filter (where opportunities.is_won) as won,
        count(*) filter (where opportunities.is_lost) as lost,
        count(opportunities.amount) filter (where opportunities.is_won) as n_amounts,
        sum(opportunities.amount) filter (where opportunities.is_won) as won_amount,
        count(*) filter (where opportunities.is_won and opportunities.sales_cycle_days >= 0) as n_cycles,
        sum(opportunities.sales_cycle_days) filter (
            where opportunities.is_won and opportunities.sales_cycle_days >= 0
        ) as won_cycle_days
    from months
    inner join opportunities
        on
            months.month_start <= opportunities.closed_date
            and months.next_month > opportunities.closed_date
            and not opportunities.is_open
    group by months.month_start, opportunities.region, opportunities.channel
),

combined as (
    select
        month_start,
        region,
        channel,
        coalesce(stock.open_opportunities, 0) as open_opportunities,
        coalesce(closed.won, 0) as won,
        coalesce(closed.lost, 0) as lost,
        coalesce(closed.n_amounts, 0) as n_amounts,
        coalesce(closed.won_amount, 0) as won_amount,
        coalesce(closed.n_cycles, 0) as n_cycles,
        coalesce(closed.won_cycle_days, 0) as won_cycle_days
    from stock
    full outer join closed using (month_start, region, channel)
),

measured as (
    select
        *,
        {{ win_rate('won', 'won + lost') }} as win_rate,
        won_amount / nullif(n_amounts, 0) as average_won_amount,
        won_cycle_days::numeric / nullif(n_cycles, 0) as cycle_days
    from combined
),

final as (
    select
        region,
        channel,
        open_opportunities,
        won,
        lost,
        n_amounts,
        n_cycles,
        won_cycle_days,
        trim_scale(won_amount) as won_amount,
        trim_scale(round(win_rate, 12)) as win_rate,
        trim_scale(round(average_won_amount, 12)) as average_won_amount,
        trim_scale(round(cycle_days, 12)) as cycle_days,
        case
            when won + lost >= {{ var('velocity_minimum_closed') }} and average_won_amount > 0
                then trim_scale(round(open_opportunities * win_rate * average_won_amount / nullif(cycle_days, 0), 12))
        end as velocity,
        month_start
    from measured
)

select * from final
