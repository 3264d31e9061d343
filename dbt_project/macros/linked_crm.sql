{#- The CRM whose deals a shop's orders refer to: the master, or the only one that is connected. -#}
{% macro linked_crm() -%}
    {%- set master = build_context()['master_crm'] -%}
    {%- set connected = ['salesforce', 'hubspot'] | select('in', build_context()['sources_configured']) | list -%}
    {{ "'" ~ (connected[0] if connected and master not in connected else master) ~ "'" }}
{%- endmacro %}
