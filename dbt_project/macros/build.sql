{#- The open row of ops.builds. Read at run time, so that the manifest stays the same from day to day. -#}
{% macro build_context() %}
    {%- set unset = {
        'build_id': 0, 'as_of': '2026-01-01 00:00:00+00', 'is_full': true, 'since_load_id': 0,
        'reporting_currency': 'USD', 'reporting_timezone': 'UTC', 'master_crm': 'salesforce', 'sources_configured': [],
    } -%}
    {%- if not execute or model.resource_type == 'unit_test' -%}{{ return(unset) }}{%- endif -%}
    {#- The graph is one object for all nodes of a run: the row is read once per run, not once per macro. -#}
    {%- if 'build_context' in graph -%}{{ return(graph['build_context']) }}{%- endif -%}
    {%- set answer = run_query(
        "select build_id, as_of::text as as_of, is_full, since_load_id, reporting_currency, reporting_timezone, master_crm, "
        ~ "array_to_string(sources_configured, ',') as sources_configured "
        ~ "from ops.builds where status = 'building' order by build_id desc limit 1"
    ) -%}
    {%- if answer.rows | length == 0 -%}{{ return(unset) }}{%- endif -%}
    {%- set row = answer.rows[0] -%}
    {%- set context = {
        'build_id': row['build_id'] | int, 'as_of': row['as_of'], 'is_full': row['is_full'],
        'since_load_id': row['since_load_id'] | int, 'reporting_currency': row['reporting_currency'],
        'reporting_timezone': row['reporting_timezone'], 'master_crm': row['master_crm'],
        'sources_configured': row['sources_configured'].split(',') if row['sources_configured'] else [],
    } -%}
    {%- do graph.update({'build_context': context}) -%}
    {{ return(context) }}
{% endmacro %}

{% macro build_id() %}{{ return(build_context()['build_id']) }}{% endmacro %}
{% macro since_load_id() %}{{ return(build_context()['since_load_id']) }}{% endmacro %}
{% macro is_full_build() %}{{ return(build_context()['is_full']) }}{% endmacro %}
{% macro as_of() %}{{ return("timestamptz '" ~ build_context()['as_of'] ~ "'") }}{% endmacro %}
{% macro reporting_currency() %}{{ return("'" ~ build_context()['reporting_currency'] ~ "'") }}{% endmacro %}
{% macro reporting_timezone() %}{{ return("'" ~ build_context()['reporting_timezone'] ~ "'") }}{% endmacro %}
{% macro master_crm() %}{{ return("'" ~ build_context()['master_crm'] ~ "'") }}{% endmacro %}
{#- True if a source has ever been loaded: a source that is not configured is null in the marts, not 0. -#}
{% macro is_configured(source_name) %}{{ return(source_name in build_context()['sources_configured']) }}{% endmacro %}

{#- The as_of of the publication in effect, read once per run: null before the first publication. -#}
{% macro published_as_of() %}
    {%- if not execute or model.resource_type == 'unit_test' -%}{{ return('null::timestamptz') }}{%- endif -%}
    {%- if 'published_as_of' not in graph -%}
        {%- set answer = run_query('select as_of::text from ops.publication_in_effect') -%}
        {%- do graph.update({
            'published_as_of': "timestamptz '" ~ answer.rows[0][0] ~ "'" if answer.rows | length else 'null::timestamptz'
        }) -%}
    {%- endif -%}
    {{ return(graph['published_as_of']) }}
{% endmacro %}
