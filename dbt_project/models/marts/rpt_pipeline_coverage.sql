{{
    config(
        unique_key=['date_day', 'period_start', 'region'],
        scope_column='date_day',
    )
}}

{% call scope() %}
{{ unpublished_days('rpt_pipeline_coverage') }}
{% endcall %}

-- depends_on: {{ ref('int_currency_rates_daily') }}, {{ ref('stg_ops__publications') }}
{%- set published_day = last_published_day('rpt_pipeline_coverage') %}
{%- set carried_time_zone = published_column(
    'bi', 'rpt_pipeline_coverage', 'time_zone', published_time_zone('rpt_pipeline_coverage')
) %}
{%- set converts = converts_published_days('rpt_pipeline_coverage') %}
{#- Days that were published while overdue deals covered the target (PLA-4). #}
{%- set redefines = redefines_published_days('rpt_pipeline_coverage', 'overdue_opportunities') %}

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

-- A deal whose expected day has passed closes today at the earliest. It stands apart and covers nothing.
open_deals as (
    select
        snapshots.*,
        snapshots.expected_close_date < snapshots.date_day as is_overdue,
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
        count(*) filter (where not is_overdue) as open_opportunities,
        count(*) filter (where is_overdue) as overdue_opportunities,
        sum(amount) filter (where not is_overdue) as open_amount,
        sum(weighted_amount) filter (where not is_overdue) as weighted_amount,
        sum(amount) filter (where is_overdue) as overdue_amount
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

quarter_targets as (
    {{ quarter_targets(ref('fct_targets')) }}
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
        coalesce(open_by_period.overdue_opportunities, 0) as overdue_opportunities,
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

{% if converts or redefines -%}
-- Published days that are not carried unchanged: in another reporting currency (BLD-14), or of an earlier definition.
carried as (
    select * from {{ published_rows('bi', 'rpt_pipeline_coverage') }}
    where date_day <= {{ published_day }}
),

converted_open as (
    select
        carried.date_day,
        carried.period_start,
        carried.region,
        count(*) filter (where not snapshots.is_overdue) as open_opportunities,
        count(*) filter (where snapshots.is_overdue) as overdue_opportunities,
        sum(snapshots.amount) filter (where not snapshots.is_overdue) as open_amount,
        sum(snapshots.weighted_amount) filter (where not snapshots.is_overdue) as weighted_amount,
        sum(snapshots.amount) filter (where snapshots.is_overdue) as overdue_amount
    from carried
    inner join (
        select
            of_day.*,
            of_day.expected_close_date < of_day.date_day as is_overdue,
            greatest(of_day.expected_close_date, of_day.date_day) as closes_on
        from {{ ref('fct_opportunities_daily') }} as of_day
        where of_day.opportunity_type <> 'renewal' and of_day.expected_close_date is not null
    ) as snapshots
        on
            carried.date_day = snapshots.date_day
            and carried.region in ('(all)', snapshots.region)
            and carried.period_start <= snapshots.closes_on
            and carried.period_start + interval '3 months' > snapshots.closes_on
    group by carried.date_day, carried.period_start, carried.region
),

{% endif -%}
{% if converts -%}
rates as (
    select
        currency_code,
        date_day,
        rate
    from {{ ref('int_currency_rates_daily') }}
),

-- Rates from the published reporting currency to that of this build.
shown_rates as (
    select
        date_day,
        rate
    from rates
    where currency_code = {{ published_currency('rpt_pipeline_coverage') }}
),

-- The publication that first showed a day, with the won deals and the targets that it showed.
first_shown as (
    select distinct on (carried.date_day)
        carried.date_day,
        publications.publication_id,
        publications.last_day
    from carried
    inner join {{ ref('stg_ops__publications') }} as publications
        on carried.date_day <= publications.last_day and publications.reverted_at is null
    order by carried.date_day, publications.publication_id
),

shown_deals as (
    {% for schema in ['bi', 'bi_history'] -%}
    select
        region,
        currency_code,
        amount_local,
        closed_date,
        publication_id as shown_from,
        {{ 'replaced_by' if schema == 'bi_history' else coming_publication_id() }} as shown_until
    from {{ published_rows(schema, 'fct_opportunities') }} as shown_{{ schema }}
    where is_won and opportunity_type <> 'renewal'
    {{ 'union all' if not loop.last }}
    {% endfor -%}
),

shown_targets as (
    {% for schema in ['bi', 'bi_history'] -%}
    select
        region,
        team,
        metric,
        period_grain,
        {{ published_column(schema, 'fct_targets', 'currency_code', 'null::text') }} as currency_code,
        {{ published_column(schema, 'fct_targets', 'target_local', 'null::numeric') }} as target_local,
        period_start,
        publication_id as shown_from,
        {{ 'replaced_by' if schema == 'bi_history' else coming_publication_id() }} as shown_until
    from {{ published_rows(schema, 'fct_targets') }} as shown_{{ schema }}
    {{ 'union all' if not loop.last }}
    {% endfor -%}
),

converted_bookings as (
    select
        carried.date_day,
        carried.period_start,
        carried.region,
        sum(shown_deals.amount_local * rates.rate) as booked_amount,
        sum(shown_deals.amount_local * rates.rate / shown_rates.rate) as shown_amount
    from carried
    inner join first_shown on carried.date_day = first_shown.date_day
    inner join shown_deals
        on
            first_shown.publication_id >= shown_deals.shown_from
            and first_shown.publication_id < shown_deals.shown_until
            and carried.period_start <= shown_deals.closed_date
            and carried.date_day >= shown_deals.closed_date
            and carried.region in ('(all)', shown_deals.region)
    left join rates
        on shown_deals.closed_date = rates.date_day and shown_deals.currency_code = rates.currency_code
    left join shown_rates on shown_deals.closed_date = shown_rates.date_day
    group by carried.date_day, carried.period_start, carried.region
),

-- At the rates of those days, as in fct_targets.
stated_targets as (
    select
        publications.publication_id,
        shown_targets.region,
        shown_targets.team,
        shown_targets.metric,
        shown_targets.period_grain,
        shown_targets.target_local * rates.rate as target,
        shown_targets.target_local * rates.rate / shown_rates.rate as shown_amount,
        shown_targets.period_start
    from (
        select distinct
            of_day.publication_id,
            of_day.last_day
        from first_shown as of_day
    ) as publications
    inner join shown_targets
        on
            publications.publication_id >= shown_targets.shown_from
            and publications.publication_id < shown_targets.shown_until
    left join rates
        on
            least(shown_targets.period_start, publications.last_day) = rates.date_day
            and shown_targets.currency_code = rates.currency_code
    left join shown_rates on least(shown_targets.period_start, publications.last_day) = shown_rates.date_day
),

converted_targets as (
    {{ quarter_targets('stated_targets', ['target', 'shown_amount'], per=['publication_id']) }}
),

{% endif -%}
{% if converts or redefines -%}
converted as (
    select
        carried.date_day,
        carried.period_start,
        carried.region,
        coalesce(converted_open.open_opportunities, 0) as open_opportunities,
        coalesce(converted_open.overdue_opportunities, 0) as overdue_opportunities,
        coalesce(converted_open.open_amount, 0) as open_amount,
        coalesce(converted_open.weighted_amount, 0) as weighted_amount,
        coalesce(converted_open.overdue_amount, 0) as overdue_amount,
        {% if converts -%}
        {{ converted_amount(
            'converted_bookings.booked_amount', 'carried.booked_amount * day_rates.rate',
            'converted_bookings.shown_amount', 'carried.booked_amount'
        ) }} as booked_amount,
        {{ converted_amount(
            'converted_targets.target', 'carried.target * period_rates.rate',
            'converted_targets.shown_amount', 'carried.target'
        ) }} as target,
        {% else -%}
        carried.booked_amount,
        carried.target,
        {% endif -%}
        carried.win_rate,
        carried.n_closed,
        carried.required_coverage,
        carried.is_reconstructed,
        {{ carried_time_zone }} as time_zone
    from carried
    {% for part in ['converted_open', 'converted_bookings'] if converts or part == 'converted_open' -%}
    left join {{ part }}
        on
            carried.date_day = {{ part }}.date_day
            and carried.period_start = {{ part }}.period_start
            and carried.region = {{ part }}.region
    {% endfor -%}
    {% if converts -%}
    left join shown_rates as day_rates on carried.date_day = day_rates.date_day
    left join shown_rates as period_rates on least(carried.period_start, carried.date_day) = period_rates.date_day
    left join first_shown on carried.date_day = first_shown.date_day
    left join converted_targets
        on
            first_shown.publication_id = converted_targets.publication_id
            and carried.period_start = converted_targets.period_start
            and carried.region = converted_targets.region
    {% endif %}
),

{% endif -%}
-- The parts of a row: of new days, and of published ones that are not carried unchanged.
parts as (
    select
        *,
        trim_scale(round(1 / nullif(win_rate, 0), 12)) as required_coverage,
        date_day < {{ last_day() }} as is_reconstructed,
        {{ reporting_timezone() }} as time_zone
    from measured
    {%- if converts or redefines %}
    union all
    select * from converted
    {%- endif %}
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
        time_zone,
        open_opportunities,
        overdue_opportunities,
        trim_scale(open_amount) as open_amount,
        trim_scale(weighted_amount) as weighted_amount,
        trim_scale(overdue_amount) as overdue_amount,
        trim_scale(booked_amount) as booked_amount,
        trim_scale(target) as target,
        trim_scale(round(case when target > booked_amount then open_amount / (target - booked_amount) end, 12)) as coverage,
        required_coverage,
        trim_scale(round(win_rate, 12)) as win_rate,
        n_closed::bigint as n_closed,
        is_reconstructed,
        date_day,
        period_start
    from parts
    {%- if is_full_build() and is_published_in_reporting_currency('rpt_pipeline_coverage') and not redefines %}

    union all

    -- Published rows stay as they were.
    select
        carried.region,
        carried.period_grain,
        carried.reason,
        {{ carried_time_zone }} as time_zone,
        carried.open_opportunities,
        carried.overdue_opportunities,
        carried.open_amount,
        carried.weighted_amount,
        carried.overdue_amount,
        carried.booked_amount,
        carried.target,
        carried.coverage,
        carried.required_coverage,
        carried.win_rate,
        carried.n_closed,
        carried.is_reconstructed,
        carried.date_day,
        carried.period_start
    from {{ published_rows('bi', 'rpt_pipeline_coverage') }} as carried
    where carried.date_day <= {{ published_day }}
    {%- endif %}
),

final as (
    select
        region,
        period_grain,
        reason,
        time_zone,
        open_opportunities,
        overdue_opportunities,
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
