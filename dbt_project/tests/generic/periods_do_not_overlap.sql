{#-
  No two periods of the same thing overlap. `ends` is the day after the last one, or null while it is unknown.
  `version` is the column that several rows of one period share, such as the plan of its steps.
-#}
{% test periods_do_not_overlap(model, per, starts, ends, version=none) %}
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
    where next_starts < coalesce(ends, 'infinity'::date) or ends <= starts

{% endtest %}
