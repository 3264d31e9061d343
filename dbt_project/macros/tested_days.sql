{#-
  Scopes of tests. A full build tests everything; the daily path tests what it touched, by the same lists that the models
  took their scope from, so that a test costs what the change costs. An array
  of the few keys, not a join: the planner then always takes the index.
-#}
{% macro in_tested_days(expression) -%}
    {%- if not execute or is_full_build() -%}
        true
    {%- else -%}
        {{ expression }} = any(array(
            select date_day
            from ops.loaded_days
            where
                ((source, stream) in {{ ad_stats_streams() }} or (source, stream) = ('ga4', 'sessions'))
                and load_id > {{ since_load_id() }}
            union
            select date_day from staging.stg_files__ad_stats
            where load_id > {{ since_load_id() }}
            union
            select date_day from marts_changes.fct_funnel_daily
        ))
    {%- endif -%}
{%- endmacro %}

{% macro in_tested_months(expression) -%}
    {%- if not execute or is_full_build() -%}
        true
    {%- else -%}
        {{ expression }} = any(array(select distinct month_start from marts_changes.fct_funnel_daily))
    {%- endif -%}
{%- endmacro %}

{#- Keys in the change list of a model. -#}
{% macro in_changes_of(model_name, column, expression) -%}
    {%- if not execute or is_full_build() -%}
        true
    {%- else -%}
        {{ expression }} = any(array(select distinct {{ column }} from marts_changes.{{ model_name }}))
    {%- endif -%}
{%- endmacro %}

{% macro is_loaded_since(expression) -%}
    {%- if not execute or is_full_build() -%}
        true
    {%- else -%}
        {{ expression }} > {{ since_load_id() }}
    {%- endif -%}
{%- endmacro %}
