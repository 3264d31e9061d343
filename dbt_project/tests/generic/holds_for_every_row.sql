{#-
  A condition that holds for every row: checked for all rows in a full build, for changed ones on the daily path.
  `key` are the columns of the model's key.
-#}
{% test holds_for_every_row(model, condition, key) %}
    {%- set changes = changed_rows(model) %}

    select {{ key | join(', ') }}
    from {{ model }} as tested
    where
        {{ in_changed_rows(changes, key) }}
        and not coalesce({{ condition }}, true)

{% endtest %}
