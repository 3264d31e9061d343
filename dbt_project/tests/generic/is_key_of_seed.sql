{#- Seeds have one row per key, with no part null. Seeds change with the project, so full builds check them. -#}
{% test is_key_of_seed(model, columns) %}
    {{ config(tags=["full_build"]) }}

    {{ rows_without_key(model, model.identifier, columns) }}

{% endtest %}
