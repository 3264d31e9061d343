{{
    config(
        unique_key=['opportunity_key'],
        scope_column='opportunity_key',
        track=['person_key', 'account_record'],
        indexes=[
            {'columns': ['person_key']},
            {'columns': ['rate_date']},
            {'columns': ['account_record']},
            {'columns': ['opportunity_id']},
            {'columns': ['has_future_close']},
        ],
    )
}}

-- Keys are hashes, so the scope also keeps the ids from which they were computed: the query below finds records by
-- them.
{% call scope() %}
select
    {{ surrogate_key(['found.source_system', 'found.connection_id', 'found.opportunity_id']) }},
    found.*
from (
    select
        'salesforce' as source_system,
        connection_id,
        opportunity_id
    from {{ ref('stg_salesforce__opportunities') }}
    where {{ is_loaded_since('load_id') }}
    union
    select
        'salesforce' as source_system,
        connection_id,
        opportunity_id
    from {{ ref('stg_salesforce__opportunity_history') }}
    where {{ is_loaded_since('load_id') }}
    union
    select
        'hubspot' as source_system,
        connection_id,
        deal_id as opportunity_id
    from {{ ref('stg_hubspot__deals') }}
    where {{ is_loaded_since('load_id') }}
    union
    -- Copies of loaded deals, and originals of loaded copies.
    select
        'hubspot' as source_system,
        deals.connection_id,
        deals.deal_id as opportunity_id
    from {{ ref('stg_salesforce__opportunities') }} as opportunities
    inner join {{ ref('stg_hubspot__deals') }} as deals
        on opportunities.opportunity_id = deals.salesforce_opportunity_id
    where {{ is_loaded_since('opportunities.load_id') }}
    union
    select
        'salesforce' as source_system,
        opportunities.connection_id,
        opportunities.opportunity_id
    from {{ ref('stg_hubspot__deals') }} as deals
    inner join {{ ref('stg_salesforce__opportunities') }} as opportunities
        on deals.salesforce_opportunity_id = opportunities.opportunity_id
    where {{ is_loaded_since('deals.load_id') }}
    union
    -- Deals of a new merge, the original of their survivor, and survivors found through the original of a merged deal.
    select
        'hubspot' as source_system,
        merged.connection_id,
        ids.deal_id as opportunity_id
    from {{ changes('int_record_merges') }} as merged
    cross join lateral (values (merged.loser_id), (merged.survivor_id)) as ids (deal_id)
    where merged.source_system = 'hubspot' and merged.record_type = 'deal'
    union
    select
        'salesforce' as source_system,
        opportunities.connection_id,
        opportunities.opportunity_id
    from {{ changes('int_record_merges') }} as merged
    inner join {{ ref('stg_hubspot__deals') }} as losers
        on merged.connection_id = losers.connection_id and merged.loser_id = losers.deal_id
    inner join {{ ref('stg_salesforce__opportunities') }} as opportunities
        on losers.salesforce_opportunity_id = opportunities.opportunity_id
    where merged.source_system = 'hubspot' and merged.record_type = 'deal'
    union
    select
        'hubspot' as source_system,
        merged.connection_id,
        merged.survivor_id as opportunity_id
    from {{ ref('stg_salesforce__opportunities') }} as opportunities
    inner join {{ ref('stg_hubspot__deals') }} as losers
        on opportunities.opportunity_id = losers.salesforce_opportunity_id
    inner join {{ ref('int_record_merges') }} as merged
        on losers.connection_id = merged.connection_id and losers.deal_id = merged.loser_id
    where merged.source_system = 'hubspot' and merged.record_type = 'deal' and {{ is_loaded_since('opportunities.load_id') }}
    union
    select
        'hubspot' as source_system,
        deals.connection_id,
        deals.deal_id as opportunity_id
    from {{ ref('int_pipeline_stages') }} as stages
    inner join {{ ref('stg_hubspot__deals') }} as deals
        on
            stages.connection_id = deals.connection_id
            and stages.pipeline_id = deals.pipeline
            and stages.stage_id = deals.stage
    where {{ is_loaded_since('stages.load_id') }}
    union
    select
        connection_id as source_system,
        connection_id,
        opportunity_id
    from {{ ref('stg_files__opportunities') }}
    where {{ is_loaded_since('load_id') }}
    union
    select
        deals.connection_id as source_system,
        deals.connection_id,
        deals.opportunity_id
    from {{ ref('stg_files__leads') }} as leads
    inner join {{ ref('stg_files__opportunities') }} as deals
        on leads.connection_id = deals.connection_id and leads.lead_id = deals.lead_id
    where {{ is_loaded_since('leads.load_id') }}
    union
    select
        deals.connection_id as source_system,
        deals.connection_id,
        deals.opportunity_id
    from {{ ref('stg_files__reps') }} as reps
    inner join {{ ref('stg_files__opportunities') }} as deals
        on reps.connection_id = deals.connection_id and reps.rep_id = deals.rep_id
    where {{ is_loaded_since('reps.load_id') }}
    union
    select
        deals.connection_id as source_system,
        deals.connection_id,
        deals.opportunity_id
    from {{ ref('stg_files__opportunities') }} as deals
    where (deals.connection_id, deals.person_id_key) in (
        select
            leads.connection_id,
            leads.person_id_key
        from {{ ref('stg_files__leads') }} as leads
        where {{ is_loaded_since('leads.load_id') }}
        union all
        select
            touches.connection_id,
            touches.person_id_key
        from {{ ref('stg_files__touches') }} as touches
        where {{ is_loaded_since('touches.load_id') }}
    )
    union
    select
        connection_id as source_system,
        connection_id,
        opportunity_id
    from {{ ref('stg_files__stage_events') }}
    where {{ is_loaded_since('load_id') }} and opportunity_id is not null
    union
    select
        source_system,
        connection_id,
        opportunity_id
    from {{ ref('int_opportunity_contacts') }}
    where {{ is_touched('opportunity_key', 'int_opportunity_contacts') }} or {{ is_touched('person_key', 'int_person_records') }}
    union
    select
        stored.source_system,
        stored.connection_id,
        stored.opportunity_id
    from {{ this }} as stored
    where
        stored.has_future_close
        or {{ is_touched('stored.opportunity_key', 'int_opportunity_contacts') }}
        or (
            {{ is_touched('stored.person_key', 'int_person_records') }}
            and (stored.stated_lead_id is not null or stored.stated_person_key is not null)
        )
) as found
{% endcall %}

-- depends_on: {{ ref('stg_files__leads') }}
-- depends_on: {{ ref('stg_files__touches') }}

with

-- Deals that were merged into others stay as last seen. If they were copies, their survivors are copies of the same
-- deals.
lost_deals as (
    {{ lost_deals() }}
),

{% if is_full_build() -%}
salesforce_in_scope as (
    select * from {{ ref('stg_salesforce__opportunities') }}
),

hubspot_in_scope as (
    select * from {{ ref('stg_hubspot__deals') }}
),

filed_in_scope as (
    select * from {{ ref('stg_files__opportunities') }}
),
{%- else -%}
salesforce_in_scope as (
    select opportunities.*
    from {{ this.identifier }}__scope as found
    inner join {{ ref('stg_salesforce__opportunities') }} as opportunities
        on found.connection_id = opportunities.connection_id and found.opportunity_id = opportunities.opportunity_id
    where found.source_system = 'salesforce'
),

hubspot_in_scope as (
    select deals.*
    from {{ this.identifier }}__scope as found
    inner join {{ ref('stg_hubspot__deals') }} as deals
        on found.connection_id = deals.connection_id and found.opportunity_id = deals.deal_id
    where found.source_system = 'hubspot'
),

filed_in_scope as (
    select deals.*
    from {{ this.identifier }}__scope as found
    inner join {{ ref('stg_files__opportunities') }} as deals
        on found.connection_id = deals.connection_id and found.opportunity_id = deals.opportunity_id
    where found.source_system not in ('hubspot', 'salesforce')
),
{%- endif %}

history as (
    select history.*
    from salesforce_in_scope
    inner join {{ ref('stg_salesforce__opportunity_history') }} as history
        on
            salesforce_in_scope.connection_id = history.connection_id
            and salesforce_in_scope.opportunity_id = history.opportunity_id
    where not coalesce(history.is_deleted, false)
),

stage_changes as (
    select
        connection_id,
        opportunity_id,
        stage,
        created_at,
        lag(stage) over (partition by connection_id, opportunity_id order by created_at, history_id) as previous_stage
    from history
),

-- Amounts and dates change after the close too: a deal entered a stage only with a row that changed the stage.
last_entries as (
    select
        salesforce_in_scope.connection_id,
        salesforce_in_scope.opportunity_id,
        max(stage_changes.created_at) filter (
            where
            stage_changes.stage = salesforce_in_scope.stage
            and stage_changes.stage is distinct from stage_changes.previous_stage
        ) as entered_at,
        min(stage_changes.created_at) as first_changed_at,
        max(stage_changes.created_at) as last_changed_at
    from salesforce_in_scope
    inner join stage_changes
        on
            salesforce_in_scope.connection_id = stage_changes.connection_id
            and salesforce_in_scope.opportunity_id = stage_changes.opportunity_id
    group by salesforce_in_scope.connection_id, salesforce_in_scope.opportunity_id
),

salesforce_opportunities as (
    select
        opportunities.connection_id,
        opportunities.opportunity_id,
        'salesforce' as source_system,
        'salesforce:' || opportunities.connection_id || ':' || opportunities.account_id as account_record,
        opportunities.owner_id,
        opportunities.opportunity_type as type_value,
        opportunities.lead_source,
        opportunities.stage,
        opportunities.currency_code,
        opportunities.amount_local,
        opportunities.list_amount_local,
        null::numeric as discount_amount_local,
        null::numeric as cost_amount_local,
        trim_scale(opportunities.probability / 100) as probability,
        coalesce(opportunities.is_closed, false) as is_closed,
        coalesce(opportunities.is_won, false) as is_won,
        opportunities.created_at is null as is_created_inferred,
        coalesce(opportunities.created_at, last_entries.first_changed_at, opportunities.fetched_at) as created_at,
        opportunities.close_date,
        coalesce(opportunities.is_closed, false) and opportunities.close_date is null as is_closed_inferred,
        -- CloseDate is a day that people type. The history has the time, which is used if it is on the same day.
        case
            when not coalesce(opportunities.is_closed, false) then null
            when opportunities.close_date is null
                then coalesce(
                    last_entries.entered_at, last_entries.last_changed_at, opportunities.modified_at, opportunities.fetched_at
                )
            when {{ reporting_date('last_entries.entered_at') }} = opportunities.close_date then last_entries.entered_at
            else {{ start_of_day('opportunities.close_date') }}
        end as closed_at,
        null::text as stated_lead_id,
        null::text as stated_person_key,
        null::text as stated_campaign_id,
        null::text as stated_region,
        null::text as product_id
    from salesforce_in_scope as opportunities
    left join last_entries
        on
            opportunities.connection_id = last_entries.connection_id
            and opportunities.opportunity_id = last_entries.opportunity_id
    where
        not coalesce(opportunities.is_deleted, false)
        and (
            {{ master_crm() }} = 'salesforce'
            or not exists (
                select 1 from {{ ref('stg_hubspot__deals') }} as copies
                left join lost_deals on copies.connection_id = lost_deals.connection_id and copies.deal_id = lost_deals.deal_id
                where
                    copies.salesforce_opportunity_id = opportunities.opportunity_id
                    and not coalesce(lost_deals.is_survivor_gone, copies.is_archived, false)
            )
        )
),

hubspot_opportunities as (
    select
        deals.connection_id,
        deals.deal_id as opportunity_id,
        'hubspot' as source_system,
        'hubspot:' || deals.connection_id || ':' || deals.company_id as account_record,
        deals.owner_id,
        deals.deal_type as type_value,
        null::text as lead_source,
        coalesce(stages.stage_name, deals.stage) as stage,
        deals.currency_code,
        deals.amount_local,
        null::numeric as list_amount_local,
        null::numeric as discount_amount_local,
        null::numeric as cost_amount_local,
        coalesce(deals.probability, stages.probability) as probability,
        coalesce(deals.is_closed, deals.is_won, stages.is_closed, false) as is_closed,
        -- If the deal itself does not say, the won stage is the closed one with probability 100 %.
        coalesce(deals.is_won, stages.is_closed and stages.probability = 1, false) as is_won,
        deals.created_at is null as is_created_inferred,
        coalesce(deals.created_at, deals.fetched_at) as created_at,
        {{ reporting_date('deals.closed_at') }} as close_date,
        coalesce(deals.is_closed, deals.is_won, stages.is_closed, false) and deals.closed_at is null as is_closed_inferred,
        case
            when coalesce(deals.is_closed, deals.is_won, stages.is_closed, false)
                then coalesce(
                    deals.closed_at,
                    (
                        select max((entries.entry ->> 'timestamp')::timestamptz)
                        from jsonb_array_elements(deals.stage_history) as entries (entry)
                    ),
                    deals.updated_at,
                    deals.fetched_at
                )
        end as closed_at,
        null::text as stated_lead_id,
        null::text as stated_person_key,
        null::text as stated_campaign_id,
        null::text as stated_region,
        null::text as product_id
    from hubspot_in_scope as deals
    left join {{ ref('int_pipeline_stages') }} as stages
        on
            deals.connection_id = stages.connection_id
            and deals.pipeline = stages.pipeline_id
            and deals.stage = stages.stage_id
    where
        not coalesce(deals.is_archived, false)
        and not exists (
            select 1 from lost_deals
            where lost_deals.connection_id = deals.connection_id and lost_deals.deal_id = deals.deal_id
        )
        and (
            {{ master_crm() }} = 'hubspot'
            or not exists (
                select 1 from {{ ref('stg_salesforce__opportunities') }} as originals
                where
                    originals.opportunity_id = deals.salesforce_opportunity_id
                    and not coalesce(originals.is_deleted, false)
            )
        )
        and (
            {{ master_crm() }} = 'hubspot'
            or not exists (
                select 1 from lost_deals
                inner join {{ ref('stg_salesforce__opportunities') }} as originals
                    on lost_deals.salesforce_opportunity_id = originals.opportunity_id
                where
                    lost_deals.connection_id = deals.connection_id
                    and lost_deals.survivor_id = deals.deal_id
                    and not coalesce(originals.is_deleted, false)
            )
        )
),

-- The region of a deal of a file is that of its rep, unless the file states it.
file_opportunities as (
    select
        deals.connection_id,
        deals.opportunity_id,
        deals.connection_id as source_system,
        deals.connection_id || ':' || deals.connection_id || ':' || deals.account_id as account_record,
        deals.rep_id as owner_id,
        deals.opportunity_type as type_value,
        deals.lead_source,
        deals.stage,
        -- Rows without a currency have no amount other than 0: a load refuses other rows.
        coalesce(deals.currency_code, {{ reporting_currency() }}) as currency_code,
        deals.amount_local,
        coalesce(deals.list_amount_local, deals.amount_local + deals.discount_amount_local) as list_amount_local,
        deals.discount_amount_local,
        deals.cost_amount_local,
        deals.probability,
        deals.stage in ('won', 'lost') as is_closed,
        deals.stage = 'won' as is_won,
        coalesce(deals.created_at, {{ start_of_day('deals.created_on') }}) is null as is_created_inferred,
        coalesce(
            deals.created_at,
            case when deals.created_on = {{ reporting_date('deals.closed_at') }} then deals.closed_at end,
            {{ end_of_day('deals.created_on') }},
            deals.closed_at,
            {{ start_of_day('deals.closed_on') }},
            changes.first_entered_at,
            {{ as_of_load('deals.first_seen_at') }}
        ) as created_at,
        coalesce({{ reporting_date('deals.closed_at') }}, deals.closed_on, deals.expected_close_date) as close_date,
        deals.stage in ('won', 'lost') and coalesce(deals.closed_at::date, deals.closed_on) is null as is_closed_inferred,
        case
            when deals.stage in ('won', 'lost')
                then coalesce(
                    deals.closed_at,
                    {{ end_of_day('deals.closed_on') }},
                    changes.last_entered_at,
                    {{ as_of_load('deals.first_seen_at') }}
                )
        end as closed_at,
        deals.lead_id as stated_lead_id,
        deals.person_id_key as stated_person_key,
        deals.campaign_id as stated_campaign_id,
        coalesce(deals.region, reps.region) as stated_region,
        deals.product_id
    from filed_in_scope as deals
    left join {{ ref('stg_files__reps') }} as reps
        on deals.connection_id = reps.connection_id and deals.rep_id = reps.rep_id
    left join lateral (
        select
            min(coalesce(events.entered_at, {{ start_of_day('events.entered_on') }})) as first_entered_at,
            max(coalesce(events.entered_at, {{ end_of_day('events.entered_on') }})) as last_entered_at
        from {{ ref('stg_files__stage_events') }} as events
        where events.connection_id = deals.connection_id and events.opportunity_id = deals.opportunity_id
    ) as changes on true
),

unioned as (
    select * from salesforce_opportunities
    union all
    select * from hubspot_opportunities
    union all
    select * from file_opportunities
),

-- A close after as_of has not happened yet: the deal is open, and its close date is the expected one.
known as (
    select
        *,
        coalesce(is_closed and closed_at > {{ as_of() }}, false) as has_future_close
    from unioned
),

keyed as (
    select
        {{ surrogate_key(['known.source_system', 'known.connection_id', 'known.opportunity_id']) }} as opportunity_key,
        known.connection_id,
        known.opportunity_id,
        known.source_system,
        known.account_record,
        known.owner_id,
        known.lead_source,
        known.stage,
        known.currency_code,
        known.amount_local,
        known.list_amount_local,
        known.discount_amount_local,
        known.cost_amount_local,
        known.probability,
        known.is_closed and not known.has_future_close as is_closed,
        known.is_won and not known.has_future_close as is_won,
        known.is_created_inferred,
        known.is_closed_inferred and not known.has_future_close as is_closed_inferred,
        known.has_future_close,
        known.created_at,
        case when not known.has_future_close then known.closed_at end as closed_at,
        known.close_date,
        known.stated_lead_id,
        known.stated_person_key,
        known.stated_campaign_id,
        known.stated_region,
        known.product_id,
        nullif(trim(known.type_value), '') is null as is_type_inferred,
        case
            when nullif(trim(known.type_value), '') is null then 'new_business'
            when opportunity_types.opportunity_type is not null then opportunity_types.opportunity_type
            when known.type_value ~* '{{ var("renewal_words") }}' then 'renewal'
            else 'unknown'
        end as opportunity_type,
        {{ reporting_date(
            'case when known.has_future_close then known.created_at else coalesce(known.closed_at, known.created_at) end'
        ) }} as rate_date
    from known
    left join {{ ref('opportunity_types') }} as opportunity_types
        on
            case when known.source_system in ('hubspot', 'salesforce') then known.source_system else 'files' end
            = opportunity_types.source_system
            and lower(trim(known.type_value)) = opportunity_types.type_value
),

-- The primary contact's person, else that of another contact, if it was known before the opportunity.
candidates as (
    select distinct on (keyed.opportunity_key)
        keyed.opportunity_key,
        contacts.person_key
    from keyed
    inner join {{ ref('int_opportunity_contacts') }} as contacts on keyed.opportunity_key = contacts.opportunity_key
    inner join lateral (
        select min(records.created_at) as first_seen_at
        from {{ ref('int_person_records') }} as records
        where records.person_key = contacts.person_key
    ) as persons on keyed.created_at >= persons.first_seen_at
    -- Not by the contact's id: forgetting a person replaces it, and must not move the opportunity to another person.
    order by keyed.opportunity_key, contacts.is_primary desc, contacts.named_at, persons.first_seen_at, contacts.person_key
),

-- A file may state the lead explicitly, whenever it was created.
stated_leads as (
    select
        keyed.opportunity_key,
        records.person_key
    from keyed
    inner join {{ ref('int_person_records') }} as records
        on
            keyed.source_system = records.source_system
            and keyed.connection_id = records.connection_id
            and keyed.stated_lead_id = records.record_id
            and records.record_type = 'lead'
),

-- Or the person: the oldest record of that source with this id is used.
stated_persons as (
    select distinct on (keyed.opportunity_key)
        keyed.opportunity_key,
        records.person_key
    from keyed
    inner join {{ ref('int_person_records') }} as records
        on
            keyed.source_system = records.source_system
            and keyed.connection_id = records.connection_id
            and records.identifiers @> array['files:person:' || keyed.stated_person_key]
    where keyed.stated_person_key is not null
    order by keyed.opportunity_key, records.created_at, records.record_type, records.record_key
),

final as (
    select
        keyed.opportunity_key,
        coalesce(stated_leads.person_key, stated_persons.person_key, candidates.person_key) as person_key,
        keyed.connection_id,
        keyed.opportunity_id,
        keyed.account_record,
        keyed.owner_id,
        keyed.source_system,
        keyed.opportunity_type,
        keyed.lead_source,
        keyed.stage,
        keyed.currency_code,
        keyed.amount_local,
        keyed.list_amount_local,
        keyed.discount_amount_local,
        keyed.cost_amount_local,
        keyed.probability,
        keyed.is_closed,
        keyed.is_won,
        keyed.is_closed and not keyed.is_won as is_lost,
        keyed.is_created_inferred,
        keyed.is_closed_inferred,
        keyed.is_type_inferred,
        keyed.has_future_close,
        keyed.created_at,
        keyed.closed_at,
        keyed.close_date,
        keyed.rate_date,
        keyed.stated_lead_id,
        keyed.stated_person_key,
        keyed.stated_campaign_id,
        keyed.stated_region,
        keyed.product_id
    from keyed
    left join candidates on keyed.opportunity_key = candidates.opportunity_key
    left join stated_leads on keyed.opportunity_key = stated_leads.opportunity_key
    left join stated_persons on keyed.opportunity_key = stated_persons.opportunity_key
)

select * from final
