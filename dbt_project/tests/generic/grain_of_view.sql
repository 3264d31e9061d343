{#- One row per key of a view, counted. Full builds only: on the daily path the tables below it hold their own keys. -#}
{% test grain_of_view(model, columns) %}
    {{ config(tags=["full_build"]) }}

    {{ rows_without_key(model, model.identifier, columns) }}

{% endtest %}
