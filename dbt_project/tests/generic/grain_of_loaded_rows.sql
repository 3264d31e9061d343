{#-
  One row per key of a view of raw rows. Builds leave the single tests out: assert_loaded_rows_have_their_keys checks all
  of them in one query, since a test's overhead in dbt is larger than its query; `dbt test` can run a single one.
-#}
{% test grain_of_loaded_rows(model, columns) %}
    {{ config(tags=["full_build"]) }}

    {{ rows_without_key(model, model.identifier, columns) }}

{% endtest %}
