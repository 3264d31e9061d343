{{ config(materialized='view') }}

-- No CTEs in this view, so that a join with it can use the indexes of the tables below it.
select
    connection_id,
    'google_ads' as platform,
    ad_account_id,
    campaign_id,
    campaign_name,
    campaign_type,
    status,
    fetched_at
from {{ ref('stg_google_ads__campaign_versions') }}

union all

select
    connection_id,
    'meta_ads' as platform,
    ad_account_id,
    campaign_id,
    campaign_name,
    campaign_type,
    status,
    fetched_at
from {{ ref('stg_meta_ads__campaign_versions') }}

union all

select
    connection_id,
    'linkedin_ads' as platform,
    ad_account_id,
    campaign_id,
    campaign_name,
    campaign_type,
    status,
    fetched_at
from {{ ref('stg_linkedin_ads__campaign_versions') }}

union all

select
    connection_id,
    'microsoft_ads' as platform,
    ad_account_id,
    campaign_id,
    campaign_name,
    campaign_type,
    status,
    fetched_at
from {{ ref('stg_microsoft_ads__campaign_versions') }}
