{#- One row per key of a seed, all parts of it filled. Rules change with the project, so full builds look at them. -#}
{% test is_key_of_seed(model, columns) %}
    {{ config(tags=["full_build"]) }}

    {{ rows_without_key(model, model.identifier, columns) }}

{% endtest %}
