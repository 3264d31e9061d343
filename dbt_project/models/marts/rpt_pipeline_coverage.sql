{{
    config(
        unique_key=['date_day', 'period_start', 'region'],
        scope_column='date_day',
    )
}}

{% call scope() %}
{{ unpublished_days('rpt_pipeline_coverage') }}
{% endcall %}

-- depends_on: {{ ref('int_currency_rates_daily') }}
{%- set published_day = last_published_day('rpt_pipeline_coverage') %}

with

new_days as (
    {% if is_full_build() -%}
    select date_day
    from {{ ref('dim_dates') }}
    where
        date_day <= {{ last_day() }}
        and date_day >= {{ first_new_day('rpt_pipeline_coverage') }}
        and date_day >= (
            select least(min(created_date), min(closed_date))
            from {{ ref('fct_opportunities') }}
        )
    {%- else -%}
    select scope_key as date_day
    from {{ this.identifier }}__scope
    {%- endif %}
),

day_span as (
    select
        min(date_day) as first_day,
        max(date_day) as final_day,
        {{ fiscal_quarter_start('min(date_day)') }} as first_quarter
    from new_days
),

-- A deal whose expected day has passed closes today at the earliest.
open_deals as (
    select
        snapshots.*,
        {{ fiscal_quarter_start('greatest(snapshots.expected_close_date, snapshots.date_day)') }} as period_start
    from {{ ref('fct_opportunities_daily') }} as snapshots
    where
        snapshots.date_day = any(array(select new_days.date_day from new_days))
        and snapshots.opportunity_type <> 'renewal'
        and snapshots.expected_close_date is not null
),

open_by_period as (
    select
        date_day,
        period_start,
        coalesce(region, '(all)') as region,
        count(*) as open_opportunities,
        coalesce(sum(amount), 0) as open_amount,
        coalesce(sum(weighted_amount), 0) as weighted_amount,
        coalesce(sum(amount) filter (where expected_close_date < date_day), 0) as overdue_amount
    from open_deals
    group by grouping sets ((date_day, period_start, region), (date_day, period_start))
),

closings as (
    select
        opportunities.closed_date as date_day,
        coalesce(opportunities.region, '(all)') as region,
        sum(opportunities.amount) filter (where opportunities.is_won) as won_amount,
        count(*) filter (where opportunities.opportunity_type = 'new_business' and opportunities.is_won) as won,
        count(*) filter (where opportunities.opportunity_type = 'new_business') as n_closed
    from day_span
    inner join {{ ref('fct_opportunities') }} as opportunities
        on
            opportunities.closed_date >= least(day_span.first_quarter, day_span.first_day - {{ var('win_rate_days') }} + 1)
            and day_span.final_day >= opportunities.closed_date
    where opportunities.opportunity_type <> 'renewal'
    group by grouping sets ((opportunities.closed_date, opportunities.region), (opportunities.closed_date))
),

-- One row for every day and region of the span, so that sums can run over them.
closed_days as (
    select
        days.date_day,
        regions.region,
        {{ fiscal_quarter_start('days.date_day') }} as period_start,
        closings.won_amount,
        closings.won,
        closings.n_closed
    from day_span
    inner join {{ ref('dim_dates') }} as days
        on
            days.date_day >= least(day_span.first_quarter, day_span.first_day - {{ var('win_rate_days') }} + 1)
            and day_span.final_day >= days.date_day
    cross join (select distinct of_day.region from closings as of_day) as regions
    left join closings on days.date_day = closings.date_day and regions.region = closings.region
),

running as (
    select
        date_day,
        region,
        period_start,
        coalesce(sum(won_amount) over (partition by region, period_start order by date_day), 0) as booked_amount,
        sum(won) over last_year as won,
        sum(n_closed) over last_year as n_closed
    from closed_days
    window last_year as (
        partition by region order by date_day rows between {{ (var('win_rate_days') | int) - 1 }} preceding and current row
    )
),

-- Targets of won amounts by quarter: of the company, otherwise of the teams of reps together, otherwise of the others.
stated as (
    select
        region,
        case
            when team = '(all)' then 1
            when team in (select reps.team from {{ ref('dim_sales_reps') }} as reps) then 2
            else 3
        end as precedence,
        period_grain,
        target,
        period_start as stated_start,
        {{ fiscal_quarter_start('period_start') }} as period_start
    from {{ ref('fct_targets') }}
    where metric = 'won_amount' and period_grain in ('month', 'quarter')
),

quarters as (
    select
        period_start,
        region,
        precedence,
        sum(target) as target
    from stated
    where period_grain = 'month' or stated_start = period_start
    group by period_start, region, precedence
    having bool_or(period_grain = 'quarter') or count(distinct stated_start) = 3
),

by_region as (
    select distinct on (period_start, region)
        period_start,
        region,
        target
    from quarters
    order by period_start, region, precedence
),

quarter_targets as (
    select
        period_start,
        region,
        target
    from by_region
    union all
    select
        period_start,
        '(all)' as region,
        sum(target) as target
    from by_region
    group by period_start
    having not bool_or(region = '(all)')
),

cells as (
    select
        date_day,
        period_start,
        region
    from open_by_period
    union
    select
        new_days.date_day,
        quarter_targets.period_start,
        quarter_targets.region
    from new_days
    inner join quarter_targets
        on
            quarter_targets.period_start >= {{ fiscal_quarter_start('new_days.date_day') }}
            and new_days.date_day + interval '1 year' >= quarter_targets.period_start
    union
    select
        new_days.date_day,
        running.period_start,
        running.region
    from new_days
    inner join running on new_days.date_day = running.date_day
    where running.booked_amount <> 0
),

measured as (
    select
        cells.date_day,
        cells.period_start,
        cells.region,
        coalesce(open_by_period.open_opportunities, 0) as open_opportunities,
        coalesce(open_by_period.open_amount, 0) as open_amount,
        coalesce(open_by_period.weighted_amount, 0) as weighted_amount,
        coalesce(open_by_period.overdue_amount, 0) as overdue_amount,
        case when cells.period_start <= cells.date_day then coalesce(running.booked_amount, 0) else 0 end as booked_amount,
        quarter_targets.target,
        {{ win_rate('rates.won', 'rates.n_closed', at_least=var('win_rate_min_closed')) }} as win_rate,
        coalesce(rates.n_closed, 0) as n_closed
    from cells
    left join open_by_period
        on
            cells.date_day = open_by_period.date_day
            and cells.period_start = open_by_period.period_start
            and cells.region = open_by_period.region
    left join running
        on
            cells.date_day = running.date_day
            and cells.period_start = running.period_start
            and cells.region = running.region
    left join running as rates on cells.date_day = rates.date_day and cells.region = rates.region
    left join quarter_targets
        on cells.period_start = quarter_targets.period_start and cells.region = quarter_targets.region
),

rows_of_days as (
    select
        region,
        'quarter' as period_grain,
        case
            when target is null then 'no target for the quarter'
            when target <= booked_amount then 'target reached'
            when win_rate is null then 'fewer than {{ var("win_rate_min_closed") }} closed: required coverage unknown'
            when win_rate = 0 then 'nothing was won: required coverage unknown'
        end as reason,
        open_opportunities,
        trim_scale(open_amount) as open_amount,
        trim_scale(weighted_amount) as weighted_amount,
        trim_scale(overdue_amount) as overdue_amount,
        trim_scale(booked_amount) as booked_amount,
        trim_scale(target) as target,
        trim_scale(round(case when target > booked_amount then open_amount / (target - booked_amount) end, 12)) as coverage,
        trim_scale(round(1 / nullif(win_rate, 0), 12)) as required_coverage,
        trim_scale(round(win_rate, 12)) as win_rate,
        n_closed::bigint as n_closed,
        date_day < {{ last_day() }} as is_reconstructed,
        date_day,
        period_start
    from measured
    {%- if is_full_build() and has_published_days('rpt_pipeline_coverage') %}

    union all

    -- Published rows stay as they were; in another reporting currency they use the rate of their day.
    select
        carried.region,
        carried.period_grain,
        carried.reason,
        carried.open_opportunities,
        {% for amount in ['open_amount', 'weighted_amount', 'overdue_amount', 'booked_amount', 'target'] -%}
        {% if is_published_in_reporting_currency('rpt_pipeline_coverage') -%}
        carried.{{ amount }},
        {% else -%}
        trim_scale(carried.{{ amount }} * rates.rate) as {{ amount }},
        {% endif -%}
        {% endfor -%}
        carried.coverage,
        carried.required_coverage,
        carried.win_rate,
        carried.n_closed,
        carried.is_reconstructed,
        carried.date_day,
        carried.period_start
    from {{ published_rows('bi', 'rpt_pipeline_coverage') }} as carried
    left join {{ ref('int_currency_rates_daily') }} as rates
        on carried.date_day = rates.date_day and rates.currency_code = {{ published_currency('rpt_pipeline_coverage') }}
    where carried.date_day <= {{ published_day }}
    {%- endif %}
),

final as (
    select
        region,
        period_grain,
        reason,
        open_opportunities,
        open_amount,
        weighted_amount,
        overdue_amount,
        booked_amount,
        target,
        coverage,
        required_coverage,
        win_rate,
        n_closed,
        is_reconstructed,
        date_day,
        period_start
    from rows_of_days
)

select * from final
