{#-
  dbt's own macro returns the type `ARRAY` for every array, which is not valid in a cast, so that unit tests could not use
  such a column. Here types are spelled as in PostgreSQL.
-#}
{% macro postgres__get_columns_in_relation(relation) -%}
    {% call statement('get_columns_in_relation', fetch_result=true) %}
        select
            attribute.attname as column_name,
            format_type(attribute.atttypid, attribute.atttypmod) as data_type,
            null::integer as character_maximum_length,
            null::integer as numeric_precision,
            null::integer as numeric_scale
        from pg_attribute as attribute
        inner join pg_class as class on attribute.attrelid = class.oid
        inner join pg_namespace as namespace on class.relnamespace = namespace.oid
        where
            {% if relation.schema -%}
            namespace.nspname = '{{ relation.schema }}'
            {%- else -%}
            pg_table_is_visible(class.oid)
            {%- endif %}
            and class.relname = '{{ relation.identifier }}'
            and attribute.attnum > 0
            and not attribute.attisdropped
        order by attribute.attnum
    {% endcall %}
    {{ return(sql_convert_columns_in_relation(load_result('get_columns_in_relation').table)) }}
{%- endmacro %}
