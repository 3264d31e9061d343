{#-
  One row per key of a view of raw rows. Builds leave the single tests out: assert_loaded_rows_have_their_keys asks for all
  of them in one query, since dbt takes longer to ask than PostgreSQL to answer; `dbt test` may ask for one.
-#}
{% test grain_of_loaded_rows(model, columns) %}
    {{ config(tags=["full_build"]) }}

    {{ rows_without_key(model, model.identifier, columns) }}

{% endtest %}
