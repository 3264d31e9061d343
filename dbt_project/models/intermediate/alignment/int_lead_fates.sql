{{
    config(
        unique_key=['lead_key'],
        scope_column='lead_key',
        track=['created_quarter', 'mql_quarter'],
        indexes=[{'columns': ['created_quarter']}, {'columns': ['mql_quarter']}],
    )
}}

{% call scope() %}
select lead_key from {{ changes('fct_leads') }}
union all
select lead_key
from {{ ref('fct_leads') }}
where {{ is_touched('person_key', ['int_person_events', 'int_lead_moves']) }}
union all
select lead_key
from {{ ref('fct_leads') }}
where {{ is_touched('account_key', 'dim_accounts') }}
{% endcall %}

with

leads as (
    select * from {{ ref('fct_leads') }}
    where {{ in_scope('lead_key') }}
),

accounts as (
    select * from {{ ref('dim_accounts') }}
),

-- The furthest stage of a lead in the cycle, by marketing's system and by sales's system.
said as (
    select
        events.lead_key,
        events.occurred_at,
        case
            when events.source_system <> 'hubspot' then 0
            when events.stage = 'sql' then 2
            else 1
        end as marketing_no,
        case
            when events.source_system = 'hubspot' then 0
            when events.stage = 'sql' then 2
            else 1
        end as sales_no
    from leads
    inner join {{ ref('int_person_events') }} as events
        on leads.person_key = events.person_key and leads.lead_key = events.lead_key
    where
        leads.mql_at is not null
        and events.event_kind = 'stage'
        and events.stage in ('mql', 'sal', 'sql')
        and events.source_system in ('hubspot', 'salesforce')
),

told as (
    select
        said.lead_key,
        max(said.marketing_no) over so_far as marketing_no,
        max(said.sales_no) over so_far as sales_no,
        max(said.sales_no) over of_all as sales_no_ever,
        max(said.marketing_no) over of_all as marketing_no_ever,
        said.occurred_at as told_from,
        coalesce(lead(said.occurred_at) over so_far, leads.ended_at) as told_to
    from said
    inner join leads on said.lead_key = leads.lead_key
    window
        so_far as (
            partition by said.lead_key
            order by said.occurred_at, said.marketing_no, said.sales_no
            rows between unbounded preceding and current row
        ),
        of_all as (partition by said.lead_key)
),

-- Days at whose end both systems had a stage for the lead, or one had while the other never reached it.
compared as (
    select
        lead_key,
        sum({{ reporting_date('told_to') }} - {{ reporting_date('told_from') }}) as days_compared,
        sum({{ reporting_date('told_to') }} - {{ reporting_date('told_from') }}) filter (
            -- Sales works a lead that marketing does not call qualified, or only one of them calls it an SQL.
            where (sales_no > 0 and marketing_no = 0) or (greatest(sales_no, marketing_no) = 2 and sales_no <> marketing_no)
        ) as days_disagreed
    from told
    where told_to is not null and sales_no_ever > 0 and marketing_no_ever > 0
    group by lead_key
),

moved as (
    select
        moves.lead_key,
        count(*) as moves
    from leads
    inner join {{ ref('int_lead_moves') }} as moves on leads.lead_key = moves.lead_key
    where moves.move_kind in ('backward', 'owner')
    group by moves.lead_key
),

fates as (
    select
        *,
        -- Won counts whatever came before it; otherwise the first outcome that excludes it.
        coalesce(won_at, least(lost_at, disqualified_at, recycled_at)) as decided_at,
        least(sal_at, sql_at, opportunity_at) as accepted_at
    from leads
),

final as (
    select
        fates.lead_key,
        fates.region,
        coalesce(accounts.segment, 'Unknown') as segment,
        coalesce(fates.owner_team = 'marketing', false) as is_marketing_generated,
        case when fates.won_at is not null then 1 when fates.decided_at is not null then 2 else 0 end as fate,
        -- The components of an MQL for the friction index, each with whether it is known.
        fates.is_sla_breached as is_unanswered,
        case
            when fates.mql_at is null then null
            when fates.recycled_at is not null or (fates.disqualified_at is not null and fates.accepted_at is null) then true
            when fates.accepted_at is not null or fates.ended_at is not null then false
        end as is_sent_back,
        coalesce(moved.moves, 0)::integer as moves,
        case
            when fates.ended_at is not null
                then greatest(
                    extract(epoch from least(fates.first_response_at, fates.ended_at) - fates.mql_at)::bigint, 0
                )
        end as seconds_waited,
        case when fates.ended_at is not null then extract(epoch from fates.ended_at - fates.created_at)::bigint end
            as seconds_open,
        coalesce(compared.days_compared, 0)::integer as days_compared,
        coalesce(compared.days_disagreed, 0)::integer as days_disagreed,
        fates.created_at,
        fates.decided_at,
        {{ month_of('fates.created_date') }} as created_month,
        date_trunc('quarter', fates.created_date::timestamp)::date as created_quarter,
        {{ month_of('fates.mql_date') }} as mql_month,
        date_trunc('quarter', fates.mql_date::timestamp)::date as mql_quarter
    from fates
    left join accounts on fates.account_key = accounts.account_key
    left join moved on fates.lead_key = moved.lead_key
    left join compared on fates.lead_key = compared.lead_key
)

select * from final
