{#-
  One row per key of a table: the database enforces it with a primary key of exactly these columns. Builds leave this test
  out, since `keyed_table` creates that key and a build fails if it is violated; `dbt test` can run it.
-#}
{% test grain(model, columns) %}
    {%- set relation = load_relation(model) if execute else none %}

    select '{{ model.identifier }}' as table_without_this_key
    where not exists (
        select 1
        from pg_index as key
        where
            key.indrelid = to_regclass('{{ relation }}')
            and key.indisprimary
            and (
                select array_agg(attribute.attname::text order by attribute.attname::text)
                from pg_attribute as attribute
                where attribute.attrelid = key.indrelid and attribute.attnum = any(key.indkey)
            ) = array['{{ columns | sort | join("', '") }}']
    )

{% endtest %}
