{#-
  One row per key. On the daily path only rows this build changed are looked at: the others were looked at when they
  changed. A view is looked at in full builds only.
-#}
{% test grain(model, columns) %}
    {{ config(tags=["full_build"]) }}
    {%- set changes = changed_rows(model) %}

    select {{ columns | join(', ') }}, count(*) as n_rows
    from {{ model }} as tested
    where {{ in_changed_rows(changes, columns) }}
    group by {{ columns | join(', ') }}
    having count(*) > 1 or {{ columns | join(' is null or ') }} is null

{% endtest %}
