{#-
  Append-only marts: a row holds what was known on its day. Published days are carried over unchanged; a build computes
  the days after them up to the last complete one, including missed days. Days that a roll-back withdrew are not
  published any more and are computed again.
-#}

{#- The last published day of such a mart, as an SQL date: null before the first publication. -#}
{% macro last_published_day(mart) %}
    {%- set shown = published_snapshots(mart) -%}
    {{ return("date '" ~ shown['last_day'] ~ "'" if shown else 'null::date') }}
{% endmacro %}

{#- True if such a mart was published in the reporting currency of this build. -#}
{% macro has_published_days(mart) %}{{ return(published_snapshots(mart) is not none) }}{% endmacro %}
{% macro is_published_in_reporting_currency(mart) %}
    {%- set shown = published_snapshots(mart) -%}
    {{ return(shown is not none and shown['reporting_currency'] == build_context()['reporting_currency']) }}
{% endmacro %}

{% macro published_snapshots(mart) %}
    {%- if not execute or model.resource_type == 'unit_test' -%}{{ return(none) }}{%- endif -%}
    {%- set answer = run_query(published_snapshots_sql(mart)) -%}
    {{ return(answer.rows[0] if answer.rows | length else none) }}
{% endmacro %}

{% macro published_snapshots_sql(mart) -%}
    select
        (shown.as_of at time zone build.reporting_timezone)::date - 1 as last_day,
        build.reporting_currency,
        build.reporting_timezone
    from ops.publication_in_effect as shown
    inner join ops.builds as build on shown.build_id = build.build_id
    where '{{ mart }}' = any(shown.marts)
{%- endmacro %}

{#- The complete days of such a mart that are not published. -#}
{% macro unpublished_days(mart) -%}
    select days.date_day::date
    from generate_series({{ last_published_day(mart) }} + interval '1 day', {{ last_day() }}, interval '1 day') as days (date_day)
{%- endmacro %}

{#- The last complete day in the reporting time zone. -#}
{% macro last_day() -%}
    (({{ as_of() }} at time zone {{ reporting_timezone() }})::date - 1)
{%- endmacro %}

{#- True if a build copies published days that are in another reporting currency than its own. -#}
{% macro converts_published_days(mart) %}
    {{ return(is_full_build() and has_published_days(mart) and not is_published_in_reporting_currency(mart)) }}
{% endmacro %}

{#-
  True if a build computes the open amounts of published days again, because they were published in the build's currency
  before the mart had `column`, under an earlier definition.
-#}
{% macro redefines_published_days(mart, column) %}
    {%- if not is_full_build() or not is_published_in_reporting_currency(mart) -%}{{ return(false) }}{%- endif -%}
    {{ return(published_column('bi', mart, column, none) | trim != column) }}
{% endmacro %}

{#- The reporting currency in which such a mart is published, quoted. -#}
{% macro published_currency(mart) %}
    {%- set shown = published_snapshots(mart) -%}
    {{ return("'" ~ shown['reporting_currency'] ~ "'" if shown else 'null::text') }}
{% endmacro %}

{#- The time zone in which such a mart is published, quoted. -#}
{% macro published_time_zone(mart) %}
    {%- set shown = published_snapshots(mart) -%}
    {{ return("'" ~ shown['reporting_timezone'] ~ "'" if shown else 'null::text') }}
{% endmacro %}

{#-
  An amount of a published day in the reporting currency of this build (BLD-14): `computed` if the same computation in the
  published currency gives what was published; otherwise `converted`, the published amount at a rate between both
  currencies, rounded so that two conversions return to the same amount.
-#}
{% macro converted_amount(computed, converted, computed_as_published, published) -%}
    trim_scale(
        case
            when abs({{ computed_as_published }} - {{ published }}) <= 0.000000001 * abs({{ published }}) then {{ computed }}
            else round({{ converted }}, 12)
        end
    )
{%- endmacro %}

{#-
  The first day that a build computes of such a mart: the day after the last published one. Before the first publication
  only as many past days are computed as year-on-year comparisons need.
-#}
{% macro first_new_day(mart) -%}
    coalesce({{ last_published_day(mart) }} + 1, {{ last_day() }} - {{ var('snapshot_days_before_first') }} + 1)
{%- endmacro %}
