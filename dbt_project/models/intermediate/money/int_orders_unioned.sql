{{ config(materialized='view') }}

select
    'shopify' as source_system,
    connection_id,
    order_id,
    customer_id,
    email_key,
    opportunity_id,
    null::text as opportunities_of,
    null::text as account_record,
    load_id,
    lower(financial_status) as payment_status,
    lower(financial_status) in ('voided', 'expired') as is_void,
    sales_channel,
    currency_code,
    country_id,
    {{ tag_key({'utm_source': 'utm_source', 'utm_medium': 'utm_medium', 'utm_campaign': 'utm_campaign'}) }} as tag_key,
    coalesce(is_test, false) as is_test,
    cancelled_at is not null as is_cancelled,
    coalesce(taxes_included, false) as taxes_included,
    coalesce(processed_at, created_at) as ordered_at,
    tags,
    attributes,
    discount_codes,
    lines,
    refunds
from {{ ref('stg_shopify__orders') }}
where not is_removed

union all

select
    connection_id as source_system,
    connection_id,
    order_id,
    customer_id,
    email_key,
    opportunity_id,
    opportunities_of,
    connection_id || ':' || connection_id || ':' || account_id as account_record,
    load_id,
    lower(status) as payment_status,
    -- For a refunded order a file states no refunds, only the final status.
    {{ comparable_name('status') }} in (
        'voided', 'void', 'expired', 'unavailable', 'refunded', 'fully refunded', 'returned', 'failed', 'declined', 'rejected',
        'charged back', 'chargeback'
    ) as is_void,
    'file' as sales_channel,
    coalesce(currency_code, {{ reporting_currency() }}) as currency_code,
    null::text as country_id,
    {{ tag_key(tags_of_files('orders')) }} as tag_key,
    coalesce({{ comparable_name('status') }} = 'test', false) as is_test,
    coalesce({{ comparable_name('status') }} in ('cancelled', 'canceled'), false) as is_cancelled,
    false as taxes_included,
    coalesce(ordered_at, {{ start_of_day('ordered_on') }}) as ordered_at,
    null::jsonb as tags,
    null::jsonb as attributes,
    null::jsonb as discount_codes,
    null::jsonb as lines,
    null::jsonb as refunds
from {{ ref('stg_files__orders') }} as orders
