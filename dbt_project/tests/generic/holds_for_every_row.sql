{#-
  A condition over one row that holds for every row: in a full build for all, on the daily path for those it changed.
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
