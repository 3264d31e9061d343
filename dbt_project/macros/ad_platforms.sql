{#- The one list of ad platforms, each with the stream that holds its statistics. -#}
{% macro ad_platforms() %}
    {{ return({
        'google_ads': 'campaign_stats',
        'meta_ads': 'insights',
        'linkedin_ads': 'campaign_stats',
        'microsoft_ads': 'campaign_stats',
    }) }}
{% endmacro %}

{#- The same list as pairs of source and stream, to compare with the ledger. -#}
{% macro ad_stats_streams() %}
    {%- set pairs = [] -%}
    {%- for platform, stream in ad_platforms().items() -%}{%- do pairs.append("('" ~ platform ~ "', '" ~ stream ~ "')") -%}{%- endfor -%}
    {{ return('(' ~ pairs | join(', ') ~ ')') }}
{% endmacro %}

{#- True if any ad platform, or a file of advertising, has ever been loaded. -#}
{% macro is_advertising_configured() %}
    {%- set sources = ad_platforms().keys() | list + ['files.ad_stats'] -%}
    {{ return(sources | select('in', build_context()['sources_configured']) | list | length > 0) }}
{% endmacro %}
