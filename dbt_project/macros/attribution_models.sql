{#- Every attribution model, as rows of one column: the list for whatever has a row per model. -#}
{% macro attribution_models() -%}
    ('first'), ('last'), ('last_non_direct'), ('linear'), ('position'), ('time_decay'), ('u_shaped'), ('w_shaped'),
    ('full_path'), ('markov'), ('shapley')
{%- endmacro %}
