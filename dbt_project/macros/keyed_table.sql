{#-
  keyed_table: a table with a key that is kept up to date by its differences.

  A run computes the rows in scope, compares them with what is stored by `unique_key`, deletes rows of the scope that
  are gone, replaces those that differ and inserts the new ones. Rows that stay the same are not written. The keys of
  changed rows, with the values of the `track` columns before and after, go to `marts_changes.<model>`: downstream
  models take their scope from there (see touched.sql), and the publication copies only these rows.

  Config
    unique_key    columns of the key (they become the primary key)
    scope_column  the column by which a run limits itself; without it the whole table is recomputed and compared
    track         columns whose old and new values the change list stores with the key

  A model with a scope_column states its scope once, before its query: see `scope`. In a full build (see
  `is_full_build`) every row is in scope.
-#}
{% materialization keyed_table, adapter='postgres' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- set unique_key = config.require('unique_key') -%}
    {%- set unique_key = [unique_key] if unique_key is string else unique_key -%}
    {%- set track = (config.get('track') or []) | reject('in', unique_key) | list -%}
    {%- set is_full = is_full_build() -%}
    {%- set is_scoped = config.get('scope_column') is not none and not is_full -%}
    {%- set name = this.identifier -%}
    {%- set changes = change_list(this) -%}

    {{ run_hooks(pre_hooks) }}

    {%- if is_scoped -%}
        {#- A scope is a few rows of a long history. The planner cannot estimate them and might read the whole table. -#}
        {% call statement('by_index') %}set local enable_seqscan = off{% endcall %}
        {% call statement('scope') %}{{ scope_table_sql(name) }}{% endcall %}
    {%- endif -%}
    {#- The columns of a model change only with the project, and a changed project is built in full. -#}
    {%- if config.get('contract').enforced and is_full -%}
        {% do get_assert_columns_equivalent(sql) %}
    {%- endif -%}

    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is not none and (existing.type != 'table' or (is_full and has_other_columns(existing, sql))) -%}
        {% do adapter.drop_relation(existing) %}
        {%- set existing = none -%}
    {%- endif -%}

    {%- if existing is none -%}
        {% call statement('create') %}{{ create_keyed_table_sql(target, sql) }}{% endcall %}
        {%- set stored_columns = columns_of(target) -%}
        {%- set columns = stored_columns | map(attribute='name') | list -%}
        {%- set first_of_key = stored_columns | selectattr('name', 'equalto', unique_key[0]) | first -%}
        {% call statement('main') %}
            insert into {{ target }} ({{ column_list(columns) }})
            select {{ column_list(columns) }} from ({{ sql }}) as new_rows
            {#- Later days are appended. The first build sorts by day too, so that a query for a month reads only
                the pages of that month. -#}
            {%- if first_of_key.data_type == 'date' %} order by {{ unique_key | join(', ') }}{% endif %}
        {% endcall %}
        {#- After the rows: building an index over all of them is several times faster than row by row. -#}
        {% call statement('key') %}alter table {{ target }} add primary key ({{ unique_key | join(', ') }}){% endcall %}
        {% do create_indexes(target) %}
        {% call statement('changes') %}{{ create_changes_sql(changes, target, unique_key + track, recreate=true) }}{% endcall %}
    {%- else -%}
        {%- set columns = columns_of(target) | map(attribute='name') | list -%}
        {% call statement('changes') %}{{ create_changes_sql(changes, target, unique_key + track, recreate=is_full) }}{% endcall %}
        {% call statement('compute') %}
            create temporary table {{ name }}__new (like {{ target }}) on commit drop;
            insert into {{ name }}__new ({{ column_list(columns) }})
            select {{ column_list(columns) }} from ({{ sql }}) as new_rows;
            {#- Of two rows with one key the one that is stored already would hide the other. #}
            create unique index on {{ name }}__new ({{ unique_key | join(', ') }});
            analyze {{ name }}__new;
        {% endcall %}
        {% call statement('main') %}{{ apply_differences_sql(name, target, columns, changes, unique_key, track, is_scoped) }}{% endcall %}
    {%- endif -%}
    {%- if is_full -%}
        {% call statement('analyze') %}analyze {{ target }}{% endcall %}
        {% do persist_docs(target, model) %}
    {%- endif -%}

    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}


{#- The condition in a model's SQL that `expression` is in the scope of this run. -#}
{% macro in_scope(expression) -%}
    {%- if is_full_build() -%}
        true
    {%- else -%}
        {{ expression }} in (select scope_key from {{ this.identifier }}__scope)
    {%- endif -%}
{%- endmacro %}


{#-
  The scope of a model: a query whose first column yields the values of scope_column that a daily build computes again.

      {% call scope() %}
      select person_key from {{ changes('int_touches') }}
      {% endcall %}

  It is parsed with the model, so that dbt's graph has an edge to every table that it names; a full build and a unit
  test have no scope. Further columns keep their names: the model can find its rows by them in `<model>__scope`.
-#}
{% macro scope() -%}
    {%- if not execute -%}
        {%- do caller() -%}
    {%- elif model.resource_type == 'model' and not is_full_build() -%}
        {#- The graph is one object for all nodes of a run: the materialization finds the query there. -#}
        {%- do graph.setdefault('scopes', {}).update({model.unique_id: caller()}) -%}
    {%- endif -%}
{%- endmacro %}


{% macro scope_table_sql(name) %}
    create temporary table {{ name }}__scope on commit drop as
    select distinct *
    from ({{ graph['scopes'][model.unique_id] }}) as stated (scope_key)
    where scope_key is not null;
    analyze {{ name }}__scope
{% endmacro %}


{#- As adapter.get_columns_in_relation, which makes a new context of all macros for each query of the catalogue. -#}
{% macro columns_of(relation) %}
    {{ return(postgres__get_columns_in_relation(relation)) }}
{% endmacro %}


{% macro column_list(columns, qualifier=none) -%}
    {%- for column in columns -%}
        {{ qualifier ~ '.' if qualifier }}{{ adapter.quote(column) }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{% macro has_other_columns(existing, sql) %}
    {%- set wanted = [] -%}
    {%- for column in get_column_schema_from_query(sql) -%}{%- do wanted.append(column.name) -%}{%- endfor -%}
    {%- set stored = columns_of(existing) -%}
    {%- set types = namespace(differ=false) -%}
    {%- for column in stored -%}
        {%- set declared = model.columns.get(column.name) -%}
        {%- if config.get('contract').enforced and declared and api.Column.translate_type(declared.data_type) | lower != column.data_type | lower -%}
            {%- set types.differ = not same_type(declared.data_type, column.data_type) or types.differ -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(wanted | sort != stored | map(attribute='name') | sort or types.differ) }}
{% endmacro %}


{% macro same_type(one, other) %}
    {%- set answer = run_query("select '" ~ one ~ "'::regtype = '" ~ other ~ "'::regtype") -%}
    {{ return(answer.columns[0].values()[0]) }}
{% endmacro %}


{% macro create_keyed_table_sql(target, sql) %}
    {%- if config.get('contract').enforced %}
    create table {{ target }} {{ get_table_columns_and_constraints() }}
    {%- else %}
    create table {{ target }} as select * from ({{ sql }}) as model_rows with no data
    {%- endif %}
{% endmacro %}


{% macro create_changes_sql(changes, target, columns, recreate) %}
    {%- if recreate %}
    drop table if exists {{ changes }};
    {%- endif %}
    create table if not exists {{ changes }} as
    select {{ columns | join(', ') }}, null::bigint as build_id from {{ target }} with no data
{% endmacro %}


{% macro same_key(left, right, unique_key) -%}
    {%- for column in unique_key -%}
        {{ left }}.{{ column }} = {{ right }}.{{ column }}{{ ' and ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{% macro apply_differences_sql(name, target, columns, changes, unique_key, track, is_scoped) %}
    {%- set listed = (unique_key + track) | join(', ') %}
    {%- set scope_column = config.get('scope_column') %}
    {#- An array of the scope is looked up in the key's index; with a subquery the planner may read the whole table. -#}
    {%- set in_stored_scope = 'stored.' ~ scope_column ~ ' = any(array(select scope_key from ' ~ name ~ '__scope))' %}
    {#- If the scope is part of the key, a new row can only conflict with stored rows of the scope. -#}
    {%- set is_key_scoped = is_scoped and scope_column == unique_key[0] %}
    create temporary table {{ name }}__differs on commit drop as
    select new_rows.*
    from {{ name }}__new as new_rows
    left join {{ target }} as stored
        on {{ same_key('stored', 'new_rows', unique_key) }}{{ ' and ' ~ in_stored_scope if is_key_scoped }}
    where row({{ column_list(columns, 'new_rows') }}) is distinct from row({{ column_list(columns, 'stored') }});

    create temporary table {{ name }}__replaced on commit drop as
    select stored.{{ (unique_key + track) | join(', stored.') }}
    from {{ target }} as stored
    inner join {{ name }}__differs as differs on {{ same_key('stored', 'differs', unique_key) }}
    union all
    select stored.{{ (unique_key + track) | join(', stored.') }}
    from {{ target }} as stored
    where
        {% if is_scoped -%}
        stored.{{ config.get('scope_column') }} in (select scope_key from {{ name }}__scope) and
        {%- endif %}
        not exists (select 1 from {{ name }}__new as new_rows where {{ same_key('new_rows', 'stored', unique_key) }});

    insert into {{ changes }} ({{ listed }}, build_id)
    select {{ listed }}, {{ build_id() }} from {{ name }}__replaced
    union
    select {{ listed }}, {{ build_id() }} from {{ name }}__differs;

    delete from {{ target }} as stored
    using {{ name }}__replaced as replaced
    where {{ same_key('stored', 'replaced', unique_key) }}{{ ' and ' ~ in_stored_scope if is_key_scoped }};

    insert into {{ target }} ({{ column_list(columns) }}) select {{ column_list(columns) }} from {{ name }}__differs;

    analyze {{ changes }}
{% endmacro %}


{#- The table with the rows that a build changed of another table. -#}
{% macro change_list(relation) %}
    {{ return(api.Relation.create(database=relation.database, schema='marts_changes', identifier=relation.identifier, type='table')) }}
{% endmacro %}


{#- The columns of a model's key. -#}
{% macro key_of(model_name) %}
    {{ return(graph.nodes['model.' ~ project_name ~ '.' ~ model_name].config.unique_key) }}
{% endmacro %}
