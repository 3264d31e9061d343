{#- Every key that is not null exists in its target: checked for all rows in a full build, for changed ones on the daily path. -#}
{% test refers_to(model, column_name, to, field, key, besides=[]) %}
    {%- set changes = changed_rows(model) %}

    select tested.{{ key | join(', tested.') }}, tested.{{ column_name }}
    from {{ model }} as tested
    where
        {{ in_changed_rows(changes, key) }}
        and tested.{{ column_name }} is not null
        {% if besides %}and tested.{{ column_name }} not in ('{{ besides | join("', '") }}'){% endif %}
        and not exists (
            select 1 from {{ to }} as pointed_to
            where pointed_to.{{ field }} = tested.{{ column_name }}
        )

{% endtest %}
