{#- One row per key of a seed, all parts of it filled. Rules change with the project, so full builds look at them. -#}
{% test is_key_of_seed(model, columns) %}
    {{ config(tags=["full_build"]) }}

    select {{ columns | join(', ') }}, count(*) as n_rows
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) > 1 or {{ columns | join(' is null or ') }} is null

{% endtest %}
