{#- A condition that holds for every row of a seed. -#}
{% test is_true_of_seed(model, condition) %}
    {{ config(tags=["full_build"]) }}

    select *
    from {{ model }}
    where not coalesce({{ condition }}, false)

{% endtest %}
