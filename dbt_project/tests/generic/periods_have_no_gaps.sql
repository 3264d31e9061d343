{#-
  No day lies between two periods of the same thing.
  `version` names what several rows of one period belong to, such as the steps of a plan.
-#}
{% test periods_have_no_gaps(model, per, starts, ends, version=none) %}
    {{ config(tags=["full_build"]) }}

    select *
    from (
        select
            {{ per | join(', ') }},
            starts,
            ends,
            lead(starts) over (partition by {{ per | join(', ') }} order by starts, ends) as next_starts
        from (
            select {% if version %}distinct {{ version }}, {% endif %}
                {{ per | join(', ') }},
                {{ starts }} as starts,
                {{ ends }} as ends
            from {{ model }}
        ) as periods
    ) as followed
    where next_starts > ends

{% endtest %}
