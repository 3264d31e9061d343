{#- The tags of a visit, in the order of the key: see int_tags_unioned. -#}
{% macro tag_columns() %}
    {{ return([
        'campaign_source', 'campaign_id', 'stated_channel', 'utm_source', 'utm_medium', 'utm_campaign', 'utm_id',
        'channel_group', 'analytics_source', 'lead_source',
    ]) }}
{% endmacro %}

{#- The key of a set of tags: `tags` maps tag columns to expressions; missing ones are null. -#}
{% macro tag_key(tags) -%}
    {%- set expressions = [] -%}
    {%- for name in tag_columns() -%}{%- do expressions.append(tags.get(name, 'null')) -%}{%- endfor -%}
    {{ surrogate_key(expressions) }}
{%- endmacro %}

{#- The columns of int_tags_unioned of one source: key first, then each tag. -#}
{% macro tags_of(tags) -%}
    {{ tag_key(tags) }} as tag_key
    {%- for name in tag_columns() %},
    {{ tags.get(name, 'null') }}::text as {{ name }}
    {%- endfor %}
{%- endmacro %}

{#- Tags of file rows: a campaign that a file states is first looked up in the same source. -#}
{% macro tags_of_files(relation, has_utm=true, has_lead_source=false) %}
    {%- set tags = {
        'campaign_source': 'case when ' ~ relation ~ '.campaign_id is not null then ' ~ relation ~ '.connection_id end',
        'campaign_id': relation ~ '.campaign_id',
        'stated_channel': relation ~ '.stated_channel',
    } -%}
    {%- for name in ['utm_source', 'utm_medium', 'utm_campaign'] if has_utm -%}{%- do tags.update({name: relation ~ '.' ~ name}) -%}{%- endfor -%}
    {%- if has_lead_source -%}{%- do tags.update({'lead_source': relation ~ '.lead_source'}) -%}{%- endif -%}
    {{ return(tags) }}
{% endmacro %}

{#- The form in which names of channels and platforms are compared: `Paid_search` becomes `paid search`. -#}
{% macro comparable_name(expression) -%}
    lower(regexp_replace(trim({{ expression }}), '[-_[:space:]]+', ' ', 'g'))
{%- endmacro %}
