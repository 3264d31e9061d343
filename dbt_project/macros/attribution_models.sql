{#- All attribution models, as rows of one column, for tables with one row per model. -#}
{% macro attribution_models() -%}
    ('first'), ('last'), ('last_non_direct'), ('linear'), ('position'), ('time_decay'), ('u_shaped'), ('w_shaped'),
    ('full_path'), ('markov'), ('shapley')
{%- endmacro %}
