{#- One row per key of a view, counted. Full builds only: on the daily path the keys of the tables below it are enough. -#}
{% test grain_of_view(model, columns) %}
    {{ config(tags=["full_build"]) }}

    {{ rows_without_key(model, model.identifier, columns) }}

{% endtest %}
