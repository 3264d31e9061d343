{#- One row per key among the rows loaded since the last publication; among all rows in a full build. -#}
{% test grain_of_loaded_rows(model, columns) %}
    {{ config(tags=["full_build"]) }}

    select {{ columns | join(', ') }}, count(*) as n_rows
    from {{ model }}
    where {% if is_full_build() %}true{% else %}load_id > {{ since_load_id() }}{% endif %}
    group by {{ columns | join(', ') }}
    having count(*) > 1 or {{ columns | join(' is null or ') }} is null

{% endtest %}
