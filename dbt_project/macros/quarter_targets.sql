{#-
  Targets of won amounts by fiscal quarter and region from rows like those of fct_targets: of the company, otherwise of the
  teams of reps together, otherwise of the others. `(all)` is the sum of the regions unless it is stated. `amounts` are
  the columns added up, `per` further columns that keep rows apart.
-#}
{% macro quarter_targets(targets, amounts=['target'], per=[]) -%}
    {%- set cell = per + ['period_start', 'region'] -%}
    with

    stated as (
        select
            {{ (per + amounts) | join(', ') }},
            region,
            case
                when team = '(all)' then 1
                when team in (select reps.team from {{ ref('dim_sales_reps') }} as reps) then 2
                else 3
            end as precedence,
            period_grain,
            period_start as stated_start,
            {{ fiscal_quarter_start('period_start') }} as period_start
        from {{ targets }}
        where metric = 'won_amount' and period_grain in ('month', 'quarter')
    ),

    quarters as (
        select
            {{ cell | join(', ') }},
            precedence,
            {%- for amount in amounts %}
            sum({{ amount }}) as {{ amount }}{{ ',' if not loop.last }}
            {%- endfor %}
        from stated
        where period_grain = 'month' or stated_start = period_start
        group by {{ cell | join(', ') }}, precedence
        having bool_or(period_grain = 'quarter') or count(distinct stated_start) = 3
    ),

    by_region as (
        select distinct on ({{ cell | join(', ') }}) {{ (cell + amounts) | join(', ') }}
        from quarters
        order by {{ cell | join(', ') }}, precedence
    )

    select {{ (cell + amounts) | join(', ') }}
    from by_region
    union all
    select
        {{ (per + ['period_start']) | join(', ') }},
        '(all)' as region,
        {%- for amount in amounts %}
        sum({{ amount }}) as {{ amount }}{{ ',' if not loop.last }}
        {%- endfor %}
    from by_region
    group by {{ (per + ['period_start']) | join(', ') }}
    having not bool_or(region = '(all)')
{%- endmacro %}
