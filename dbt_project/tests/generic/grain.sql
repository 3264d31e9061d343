{#-
  One row per key. Of a table it is enough that the database holds it to a primary key of just these columns; a view is
  counted. Full builds only: on the daily path neither can change.
-#}
{% test grain(model, columns) %}
    {{ config(tags=["full_build"]) }}
    {%- set relation = load_relation(model) if execute else none %}

    {%- if relation is not none and relation.type == 'table' %}
    select '{{ model.identifier }}' as table_without_this_key
    where not exists (
        select 1
        from pg_index as key
        where
            key.indrelid = '{{ relation }}'::regclass
            and key.indisprimary
            and (
                select array_agg(attribute.attname::text order by attribute.attname::text)
                from pg_attribute as attribute
                where attribute.attrelid = key.indrelid and attribute.attnum = any(key.indkey)
            ) = array['{{ columns | sort | join("', '") }}']
    )
    {%- else %}
    select {{ columns | join(', ') }}, count(*) as n_rows
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) > 1 or {{ columns | join(' is null or ') }} is null
    {%- endif %}

{% endtest %}
