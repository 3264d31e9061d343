{#- New business won ÷ closed, won or lost, by count; null with fewer than `at_least` closed deals.

The metric `win_rate` in models/semantic has the same formula: tests/end_to_end/company/test_metrics.py compares. -#}
{% macro win_rate(won, closed, at_least=1) -%}
    case when {{ closed }} >= {{ at_least }} then {{ won }}::numeric / ({{ closed }}) end
{%- endmacro %}
