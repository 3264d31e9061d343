{#-
  The rows that this build touched: the same macros serve the scopes of models, the tests of dbt and the suites of
  expectations/marts, whose queries the gate renders. Names of models go through `ref`, so that dbt's graph has the edge.
-#}

{#- The change list of a model: key and tracked columns of the changed rows, before and after this build. -#}
{% macro changes(model_name) -%}
    marts_changes.{{ ref(model_name).identifier }}
{%- endmacro %}

{#- The change list of a statistic, which is computed between two runs of dbt. -#}
{% macro changes_of_statistic(name) -%}
    marts_changes.{{ ref('stg_statistics__' ~ name).identifier | replace('stg_statistics__', '') }}
{%- endmacro %}

{#- Keys and tracked columns of the rows of a model that this build touched: all rows in a full build. -#}
{% macro touched(model_name) -%}
    {%- if execute and is_full_build() -%}{{ ref(model_name) }}{%- else -%}{{ changes(model_name) }}{%- endif -%}
{%- endmacro %}

{#- The current rows of a mart that this build touched. -#}
{% macro changed(model_name) -%}
    {%- if execute and is_full_build() -%}
        {{ ref(model_name) }}
    {%- else -%}
        {%- set key = key_of(model_name) | join(', ') -%}
        (select built.* from {{ ref(model_name) }} as built inner join (select distinct {{ key }} from {{ changes(model_name) }}) as listed using ({{ key }}))
    {%- endif -%}
{%- endmacro %}

{#-
  The condition that a value belongs to a touched row of these models: true in a full build. `column` is its name in their
  change lists; the default is the expression. It is an array of the few values, not a subquery: the planner then always
  uses the index.
-#}
{% macro is_touched(expression, models, column=none) -%}
    {%- if execute and is_full_build() -%}
        true
    {%- else -%}
        {{ expression }} = any(array(
            {%- for model_name in ([models] if models is string else models) %}
            select {{ 'distinct ' if loop.length == 1 }}listed.{{ column or expression.split('.')[-1] }}
            from {{ changes(model_name) }} as listed{{ ' union' if not loop.last }}
            {%- endfor %}
        ))
    {%- endif -%}
{%- endmacro %}

{#- The condition that anything of a day was loaded or changed, facts or funnel: true in a full build. -#}
{% macro is_touched_day(expression) -%}
    {%- if execute and is_full_build() -%}
        true
    {%- else -%}
        {{ expression }} = any(array(
            select date_day
            from {{ ref('stg_ops__loaded_days') }}
            where
                ((source_name, stream) in {{ ad_stats_streams() }} or (source_name, stream) = ('ga4', 'sessions'))
                and {{ is_loaded_since('load_id') }}
            union
            select date_day from {{ ref('stg_files__ad_stats') }}
            where {{ is_loaded_since('load_id') }}
            {%- for mart in ['fct_ad_stats_daily', 'fct_web_sessions_daily', 'fct_funnel_daily'] %}
            union
            select date_day from {{ changes(mart) }}
            {%- endfor %}
            union
            select unnest(array[created_date, mql_date, sal_date, sql_date]) from {{ changes('fct_leads') }}
            union
            select unnest(array[created_date, closed_date]) from {{ changes('fct_opportunities') }}
            union
            select ordered_date from {{ changes('fct_orders') }}
        ))
    {%- endif -%}
{%- endmacro %}

{#- The condition that a raw row was loaded since the publication in effect: true in a full build. -#}
{% macro is_loaded_since(expression) -%}
    {%- if execute and is_full_build() -%}true{%- else -%}{{ expression }} > {{ since_load_id() }}{%- endif -%}
{%- endmacro %}
