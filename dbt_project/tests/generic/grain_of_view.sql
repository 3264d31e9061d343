{#- One row per key of a view, counted. Full builds only: on the daily path the tables below it hold their own keys. -#}
{% test grain_of_view(model, columns) %}
    {{ config(tags=["full_build"]) }}

    select {{ columns | join(', ') }}, count(*) as n_rows
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) > 1 or {{ columns | join(' is null or ') }} is null

{% endtest %}
