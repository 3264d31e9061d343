{{ config(materialized='view') }}

-- No CTEs in this view, so that a join with it can use the indexes of the tables below it.
select
    'hubspot:contact:' || connection_id || ':' || contact_id as record,
    load_id,
    {{ tags_of({
        'utm_source': 'utm_source', 'utm_medium': 'utm_medium', 'utm_campaign': 'utm_campaign', 'utm_id': 'utm_id',
        'analytics_source': 'analytics_source',
    }) }}
from {{ ref('stg_hubspot__contacts') }}

union all

select
    'hubspot:event:' || connection_id || ':' || contact_id || ':' || event_id || ':' || occurred_on as record,
    load_id,
    {{ tags_of({
        'utm_source': 'utm_source', 'utm_medium': 'utm_medium', 'utm_campaign': 'utm_campaign', 'utm_id': 'utm_id',
    }) }}
from {{ ref('stg_hubspot__contact_events') }}

union all

select
    'salesforce:lead:' || connection_id || ':' || lead_id as record,
    load_id,
    {{ tags_of({'lead_source': 'lead_source'}) }}
from {{ ref('stg_salesforce__leads') }}

union all

select
    'salesforce:contact:' || connection_id || ':' || contact_id as record,
    load_id,
    {{ tags_of({'lead_source': 'lead_source'}) }}
from {{ ref('stg_salesforce__contacts') }}

union all

select
    concat_ws(
        ':', 'ga4', connection_id, property_id, date_day, country_id, channel_group, session_source, session_medium, campaign_id,
        campaign_name
    ) as record,
    load_id,
    {{ tags_of({
        'utm_source': 'session_source', 'utm_medium': 'session_medium', 'utm_campaign': 'campaign_name',
        'utm_id': 'campaign_id', 'channel_group': 'channel_group',
    }) }}
from {{ ref('stg_ga4__sessions') }}

union all

select
    'shopify:order:' || connection_id || ':' || order_id as record,
    load_id,
    {{ tags_of({'utm_source': 'utm_source', 'utm_medium': 'utm_medium', 'utm_campaign': 'utm_campaign'}) }}
from {{ ref('stg_shopify__orders') }}

union all

select
    leads.connection_id || ':lead:' || leads.row_key as record,
    leads.load_id,
    {{ tags_of(tags_of_files('leads', has_lead_source=true)) }}
from {{ ref('stg_files__leads') }} as leads

union all

select
    touches.connection_id || ':touch:' || touches.row_key as record,
    touches.load_id,
    {{ tags_of(tags_of_files('touches')) }}
from {{ ref('stg_files__touches') }} as touches

union all

select
    orders.connection_id || ':order:' || orders.row_key as record,
    orders.load_id,
    {{ tags_of(tags_of_files('orders')) }}
from {{ ref('stg_files__orders') }} as orders

union all

select
    deals.connection_id || ':deal:' || deals.row_key as record,
    deals.load_id,
    {{ tags_of(tags_of_files('deals', has_utm=false, has_lead_source=true)) }}
from {{ ref('stg_files__opportunities') }} as deals
