-- Every existing opportunity of the master CRM, and every deal of the other CRM without an existing original, is one
-- row of fct_opportunities with the CRM's amount. Deals that were merged into others count as their survivors.

with

lost_deals as (
    {{ lost_deals() }}
),

landed as not materialized (
    select
        connection_id,
        opportunity_id,
        'salesforce' as source_system,
        amount_local,
        load_id
    from {{ ref('stg_salesforce__opportunities') }} as opportunities
    where
        not coalesce(is_deleted, false)
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

    union all

    select
        connection_id,
        deal_id as opportunity_id,
        'hubspot' as source_system,
        amount_local,
        load_id
    from {{ ref('stg_hubspot__deals') }} as deals
    where
        not coalesce(is_archived, false)
        and not exists (
            select 1 from lost_deals
            where lost_deals.connection_id = deals.connection_id and lost_deals.deal_id = deals.deal_id
        )
        and (
            {{ master_crm() }} = 'hubspot'
            or not exists (
                select 1 from {{ ref('stg_salesforce__opportunities') }} as originals
                where
                    originals.opportunity_id in (
                        select deals.salesforce_opportunity_id
                        union all
                        select lost_deals.salesforce_opportunity_id from lost_deals
                        where lost_deals.connection_id = deals.connection_id and lost_deals.survivor_id = deals.deal_id
                    )
                    and not coalesce(originals.is_deleted, false)
            )
        )

    union all

    select
        connection_id,
        opportunity_id,
        connection_id as source_system,
        amount_local,
        load_id
    from {{ ref('stg_files__opportunities') }}
),

lost as (
    select
        landed.source_system,
        landed.opportunity_id,
        landed.amount_local as landed,
        facts.amount_local as found
    from landed
    left join {{ ref('fct_opportunities') }} as facts
        on {{ surrogate_key(['landed.source_system', 'landed.connection_id', 'landed.opportunity_id']) }} = facts.opportunity_key
    where
        {{ is_loaded_since('landed.load_id') }}
        and (facts.opportunity_key is null or facts.amount_local is distinct from landed.amount_local)
),

made_up as (
    select
        facts.source_system,
        facts.opportunity_id,
        null::numeric as landed,
        facts.amount_local as found
    from {{ ref('fct_opportunities') }} as facts
    inner join {{ ref('int_opportunities') }} as records on facts.opportunity_key = records.opportunity_key
    where
        {{ is_touched('facts.opportunity_key', 'fct_opportunities') }}
        and not exists (
            select 1 from landed
            where
                landed.source_system = records.source_system
                and landed.connection_id = records.connection_id
                and landed.opportunity_id = records.opportunity_id
        )
)

select * from lost
union all
select * from made_up
