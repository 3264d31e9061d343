{{
    config(
        unique_key=['order_key'],
        scope_column='order_key',
        track=['ordered_date'],
        indexes=[
            {'columns': ['person_key']},
            {'columns': ['email_key']},
            {'columns': ['customer_id']},
            {'columns': ['opportunity_key']},
            {'columns': ['stated_opportunity_id']},
            {'columns': ['account_record']},
            {'columns': ['tag_key']},
            {'columns': ['rate_dates'], 'type': 'gin'},
        ],
    )
}}

{% call scope() %}
select {{ surrogate_key(['source_system', 'connection_id', 'order_id']) }}
from {{ ref('int_orders_unioned') }}
where {{ is_loaded_since('load_id') }}
union all
select {{ surrogate_key(["'shopify'", 'connection_id', 'order_id']) }}
from {{ ref('stg_shopify__orders') }}
where is_removed and {{ is_loaded_since('load_id') }}
union all
select orders.order_key
from {{ ref('stg_shopify__orders') }} as removed
inner join {{ this }} as orders
    on removed.connection_id = orders.connection_id and removed.customer_id = orders.customer_id
where removed.is_removed and {{ is_loaded_since('removed.load_id') }}
union all
select orders.order_key
from {{ ref('int_orders_unioned') }} as loaded
inner join {{ this }} as orders
    on loaded.connection_id = orders.connection_id and loaded.customer_id = orders.customer_id
where {{ is_loaded_since('loaded.load_id') }}
union all
select order_key
from {{ this }}
where {{ is_touched('account_record', 'int_account_records') }}
union all
select order_key
from {{ this }}
where {{ is_touched('person_key', ['int_person_records', 'fct_leads', 'dim_people']) }}
union all
select order_key
from {{ this }}
where email_key = any(array(
    select substr(named.identifier, 7)
    from {{ changes('int_person_records') }} as changed
    inner join {{ ref('int_person_records') }} as records on changed.person_key = records.person_key
    cross join lateral unnest(records.identifiers) as named (identifier)
    where named.identifier like 'email:%'
))
union all
select order_key
from {{ this }}
where {{ is_touched('opportunity_key', 'fct_opportunities') }}
or stated_opportunity_id = any(array(
    select opportunities.opportunity_id
    from {{ changes('fct_opportunities') }} as changed
    inner join {{ ref('fct_opportunities') }} as opportunities
        on changed.opportunity_key = opportunities.opportunity_key
))
union all
select order_key
from {{ this }}
where {{ is_touched('tag_key', 'int_tag_channels') }}
{% endcall %}

-- depends_on: {{ ref('stg_shopify__orders') }}

with

{% if is_full_build() -%}
orders_in_scope as (
    select * from {{ ref('int_orders_unioned') }}
),
{%- else -%}
order_ids as (
    select
        source_system,
        connection_id,
        order_id
    from {{ ref('int_orders_unioned') }}
    where load_id > {{ since_load_id() }}
    union
    select
        source_system,
        connection_id,
        order_id
    from {{ this }}
    where {{ in_scope('order_key') }}
),

orders_in_scope as (
    select orders.*
    from order_ids
    inner join {{ ref('int_orders_unioned') }} as orders
        on
            order_ids.source_system = orders.source_system
            and order_ids.connection_id = orders.connection_id
            and order_ids.order_id = orders.order_id
),
{%- endif %}

-- An order without an address gets that of the customer's other orders; purchases in a store have none, for instance.
identified as (
    select
        orders.*,
        {{ surrogate_key(['orders.source_system', 'orders.connection_id', 'orders.order_id']) }} as order_key,
        coalesce(orders.email_key, of_customer.email_key) as known_email_key,
        coalesce(orders.opportunity_id, noted.opportunity_id, tagged.opportunity_id) as stated_opportunity_id,
        case
            when orders.source_system <> 'shopify' then coalesce(orders.opportunities_of, orders.source_system)
            else {{ linked_crm() }}
        end as opportunity_source
    from orders_in_scope as orders
    left join lateral (
        select others.email_key
        from {{ ref('int_orders_unioned') }} as others
        where
            orders.email_key is null
            and others.source_system = orders.source_system
            and others.connection_id = orders.connection_id
            and others.customer_id = orders.customer_id
            and others.email_key is not null
        order by others.ordered_at desc, others.order_id desc
        limit 1
    ) as of_customer on true
    left join lateral (
        select attribute.entry ->> 'value' as opportunity_id
        from {{ json_elements('orders.attributes') }} with ordinality as attribute (entry, place)
        where lower(attribute.entry ->> 'key') = 'opportunity_id'
        order by attribute.place
        limit 1
    ) as noted on true
    left join lateral (
        select split_part(tag.entry #>> '{}', ':', 2) as opportunity_id
        from {{ json_elements('orders.tags') }} with ordinality as tag (entry, place)
        where lower(tag.entry #>> '{}') like 'opportunity:%'
        order by tag.place
        limit 1
    ) as tagged on true
),

linked as (
    select
        identified.*,
        coalesce(by_email.person_key, opportunities.person_key) as person_key,
        opportunities.opportunity_key,
        opportunities.is_won as is_deal_won,
        opportunities.account_key as opportunity_account_key,
        opportunities.region as opportunity_region,
        stated_accounts.account_key as stated_account_key,
        dim_accounts.region as stated_account_region
    from identified
    left join lateral (
        select records.person_key
        from {{ ref('int_person_records') }} as records
        where records.identifiers @> array['email:' || identified.known_email_key]
        order by records.created_at, records.source_system, records.record_key
        limit 1
    ) as by_email on true
    left join lateral (
        select
            found.opportunity_key,
            found.person_key,
            found.account_key,
            found.region,
            found.is_won
        from {{ ref('fct_opportunities') }} as found
        where
            found.opportunity_id = identified.stated_opportunity_id
            -- Ids are valid in one system only: a file's in its own source or in the one that it names, a shop's in the
            -- master CRM.
            and found.source_system = identified.opportunity_source
        order by found.opportunity_key
        limit 1
    ) as opportunities on true
    left join {{ ref('int_account_records') }} as stated_accounts
        on identified.account_record = stated_accounts.account_record
    left join {{ ref('dim_accounts') }} as dim_accounts on stated_accounts.account_key = dim_accounts.account_key
),

final as (
    select
        linked.order_key,
        linked.source_system,
        linked.connection_id,
        linked.order_id,
        linked.customer_id,
        linked.known_email_key as email_key,
        linked.stated_opportunity_id,
        linked.person_key,
        linked.account_record,
        coalesce(linked.opportunity_account_key, linked.stated_account_key, people.account_key) as account_key,
        linked.opportunity_key,
        -- Its own tags, else those of the person's last touch.
        case
            when tags.tagged_channel is not null or tags.campaign_key <> '(no campaign)' then tags.campaign_key
            else coalesce(leads.campaign_key, '(no campaign)')
        end as campaign_key,
        coalesce(
            nullif(linked.opportunity_region, 'Unknown'),
            nullif(linked.stated_account_region, 'Unknown'),
            nullif(people.region, 'Unknown'),
            regions.region,
            'Unknown'
        ) as region,
        coalesce(tags.tagged_channel, leads.channel, 'Unknown') as channel,
        linked.tag_key,
        case when linked.is_cancelled then 'cancelled' else linked.payment_status end as status,
        linked.sales_channel,
        linked.currency_code,
        linked.taxes_included,
        linked.is_test,
        not linked.is_test
        and not linked.is_cancelled
        and not coalesce(linked.is_void, false) as is_counted,
        coalesce(linked.is_deal_won, false) as is_deal_won,
        linked.ordered_at,
        {{ reporting_date('linked.ordered_at') }} as ordered_date,
        {{ reporting_date('linked.ordered_at') }}
        || array(
            select {{ reporting_date("(refund.entry ->> 'createdAt')::timestamptz") }}
            from {{ json_elements('linked.refunds') }} with ordinality as refund (entry, place)
            order by refund.place
        ) as rate_dates
    from linked
    left join {{ ref('int_tag_channels') }} as tags on linked.tag_key = tags.tag_key
    left join {{ ref('dim_people') }} as people on linked.person_key = people.person_key
    left join lateral (
        select
            cycles.channel,
            cycles.campaign_key
        from {{ ref('fct_leads') }} as cycles
        where cycles.person_key = linked.person_key and linked.ordered_at >= cycles.created_at
        order by cycles.created_at desc, cycles.lead_key desc
        limit 1
    ) as leads on true
    left join {{ ref('country_regions') }} as regions on lower(linked.country_id) = regions.country
)

select * from final
