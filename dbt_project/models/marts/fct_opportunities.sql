{{
    config(
        unique_key=['opportunity_key'],
        scope_column='opportunity_key',
        scope_from=['int_opportunities'],
        scope_sql=[
            "select opportunity_key
            from intermediate.int_opportunities
            where person_key in (
                select person_key from marts_changes.fct_leads
                union all
                select person_key from marts_changes.int_person_events
            )",
            "select opportunity_key
            from intermediate.int_opportunities
            where rate_date in (select date_day from marts_changes.int_currency_rates_daily)",
            "select opportunity_key
            from intermediate.int_opportunities
            where account_record in (select account_record from marts_changes.int_account_records)",
            "select opportunity_key
            from marts.fct_opportunities
            where account_key in (
                select account_key from marts_changes.int_account_records
                union all
                select account_key from marts_changes.dim_accounts
            )",
        ],
        track=['created_date', 'closed_date', 'lead_key'],
        indexes=[
            {'columns': ['created_date']},
            {'columns': ['closed_date']},
            {'columns': ['account_key']},
            {'columns': ['lead_key']},
        ],
    )
}}

with

opportunities as (
    select * from {{ ref('int_opportunities') }}
    where {{ in_scope('opportunity_key') }}
),

opportunity_leads as (
    select * from {{ ref('int_opportunity_leads') }}
    where {{ in_scope('opportunity_key') }}
),

leads as (
    select * from {{ ref('fct_leads') }}
),

accounts as (
    select
        records.account_record,
        accounts.account_key,
        accounts.region
    from {{ ref('int_account_records') }} as records
    inner join {{ ref('dim_accounts') }} as accounts on records.account_key = accounts.account_key
),

source_channels as (
    select
        written.lead_source,
        matched.channel
    from (
        select distinct lead_source from opportunities
        where lead_source is not null
    ) as written
    cross join lateral (
        select rules.channel
        from {{ ref('channel_rules') }} as rules
        where rules.field = 'lead_source' and lower(written.lead_source) ~ rules.value_pattern
        order by rules.priority
        limit 1
    ) as matched
),

described as (
    select
        opportunities.*,
        opportunity_leads.lead_key,
        coalesce(accounts.account_key, leads.account_key) as account_key,
        coalesce(opportunities.stated_region, accounts.region, leads.region, 'Unknown') as region,
        reps.rep_key,
        case
            when opportunity_leads.lead_key is not null then leads.channel
            else coalesce(source_channels.channel, 'Unknown')
        end as channel,
        coalesce(leads.campaign_key, '(no campaign)') as campaign_key,
        rates.rate,
        opportunities.amount_local * rates.rate as amount,
        opportunities.list_amount_local * rates.rate as list_amount,
        opportunities.cost_amount_local * rates.rate as cost_amount
    from opportunities
    left join opportunity_leads on opportunities.opportunity_key = opportunity_leads.opportunity_key
    left join leads on opportunity_leads.lead_key = leads.lead_key
    left join accounts on opportunities.account_record = accounts.account_record
    left join source_channels on opportunities.lead_source = source_channels.lead_source
    left join {{ ref('int_sales_rep_records') }} as reps
        on
            opportunities.source_system = reps.source_system
            and opportunities.connection_id = reps.connection_id
            and opportunities.owner_id = reps.record_id
    -- Open deals stand at the rate of their creation, closed ones at that of their close.
    left join {{ ref('int_currency_rates_daily') }} as rates
        on opportunities.rate_date = rates.date_day and opportunities.currency_code = rates.currency_code
),

final as (
    select
        described.opportunity_key,
        described.opportunity_id,
        described.lead_key,
        described.person_key,
        described.account_key,
        described.rep_key,
        described.campaign_key,
        described.region,
        described.opportunity_type,
        channels.owner_team as source_type,
        described.lead_source,
        described.channel,
        described.stage,
        described.currency_code,
        described.source_system,
        trim_scale(described.amount) as amount,
        trim_scale(described.amount_local) as amount_local,
        trim_scale(described.probability) as probability,
        trim_scale(described.amount * described.probability) as weighted_amount,
        trim_scale(described.list_amount) as list_amount,
        trim_scale(described.list_amount - described.amount) as discount_amount,
        trim_scale(
            (described.list_amount_local - described.amount_local) / nullif(described.list_amount_local, 0)
        ) as discount_rate,
        trim_scale(described.amount - described.cost_amount) as gross_margin,
        null::numeric as commission_amount,
        ({{ reporting_date('described.closed_at') }} - {{ reporting_date('described.created_at') }})::integer as sales_cycle_days,
        not described.is_closed as is_open,
        described.is_won,
        described.is_lost,
        described.is_created_inferred,
        coalesce({{ reporting_date('described.closed_at') }} < {{ reporting_date('described.created_at') }}, false)
            as has_sequence_anomaly,
        described.created_at,
        described.closed_at,
        described.close_date as expected_close_date,
        {{ reporting_date('described.created_at') }} as created_date,
        {{ reporting_date('described.closed_at') }} as closed_date
    from described
    left join {{ ref('dim_channels') }} as channels on described.channel = channels.channel
)

select * from final
