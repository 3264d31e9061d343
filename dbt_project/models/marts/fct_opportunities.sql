{{
    config(
        unique_key=['opportunity_key'],
        scope_column='opportunity_key',
        track=['created_date', 'closed_date', 'lead_key'],
        indexes=[
            {'columns': ['created_date']},
            {'columns': ['closed_date']},
            {'columns': ['account_key']},
            {'columns': ['lead_key']},
        ],
    )
}}

{% call scope() %}
select opportunity_key from {{ changes('int_opportunities') }}
union all
select opportunity_key from {{ changes('int_deal_commissions') }}
union all
select opportunity_key from {{ changes('fct_opportunity_lines') }}
union all
select opportunity_key
from {{ ref('int_opportunities') }}
where {{ is_touched('person_key', ['fct_leads', 'int_person_events']) }}
union all
select opportunity_key
from {{ ref('int_opportunities') }}
where lower(stated_campaign_id) in (
    select unnest(array[lower(campaign_id), lower(campaign_name)])
    from {{ ref('dim_campaigns') }}
    where {{ is_touched('campaign_key', 'dim_campaigns') }}
)
union all
select opportunity_key
from {{ this }}
where stated_campaign_id is not null
    and {{ is_touched('campaign_key', 'dim_campaigns') }}
union all
select opportunity_key
from {{ ref('int_opportunities') }}
where {{ is_touched('rate_date', 'int_currency_rates_daily', column='date_day') }}
union all
select opportunity_key
from {{ ref('int_opportunities') }}
where {{ is_touched('account_record', 'int_account_records') }}
union all
select opportunity_key
from {{ this }}
where {{ is_touched('account_key', ['int_account_records', 'dim_accounts']) }}
{% endcall %}

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

-- If the deal states no list or cost amount, those of its lines are used, provided they are complete and add up to the
-- deal.
line_sums as (
    select
        opportunity_key,
        count(*) as n_lines,
        sum(amount) as amount,
        case when bool_and(list_amount is not null) then sum(list_amount) end as list_amount,
        case when bool_and(cost_amount is not null) then sum(cost_amount) end as cost_amount
    from {{ ref('fct_opportunity_lines') }}
    where {{ in_scope('opportunity_key') }}
    group by opportunity_key
    having bool_and(amount is not null)
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

-- A campaign that a file states by id or name, first of its own source.
stated_campaigns as (
    select distinct on (opportunities.opportunity_key)
        opportunities.opportunity_key,
        campaigns.campaign_key,
        campaigns.channel
    from opportunities
    inner join {{ ref('dim_campaigns') }} as campaigns
        on lower(opportunities.stated_campaign_id) in (lower(campaigns.campaign_id), lower(campaigns.campaign_name))
    where opportunities.stated_campaign_id is not null
    order by
        opportunities.opportunity_key,
        lower(opportunities.stated_campaign_id) = lower(campaigns.campaign_id) desc,
        campaigns.campaign_key
),

described as (
    select
        opportunities.*,
        opportunity_leads.lead_key,
        leads.created_at as lead_created_at,
        coalesce(accounts.account_key, leads.account_key) as account_key,
        coalesce(opportunities.stated_region, accounts.region, leads.region, 'Unknown') as region,
        reps.rep_key,
        case
            when opportunity_leads.lead_key is not null then leads.channel
            else coalesce(stated_campaigns.channel, source_channels.channel, 'Unknown')
        end as channel,
        case
            when opportunity_leads.lead_key is not null then coalesce(leads.campaign_key, '(no campaign)')
            else coalesce(stated_campaigns.campaign_key, '(no campaign)')
        end as campaign_key,
        rates.rate,
        opportunities.amount_local * rates.rate as amount,
        opportunities.list_amount_local * rates.rate as list_amount,
        opportunities.cost_amount_local * rates.rate as cost_amount
    from opportunities
    left join opportunity_leads on opportunities.opportunity_key = opportunity_leads.opportunity_key
    left join leads on opportunity_leads.lead_key = leads.lead_key
    left join accounts on opportunities.account_record = accounts.account_record
    left join source_channels on opportunities.lead_source = source_channels.lead_source
    left join stated_campaigns on opportunities.opportunity_key = stated_campaigns.opportunity_key
    left join {{ ref('int_sales_rep_records') }} as reps
        on
            opportunities.source_system = reps.source_system
            and opportunities.connection_id = reps.connection_id
            and opportunities.owner_id = reps.record_id
    -- Open deals use the rate of their creation, closed ones that of their close.
    left join {{ ref('int_currency_rates_daily') }} as rates
        on opportunities.rate_date = rates.date_day and opportunities.currency_code = rates.currency_code
),

valued as (
    select
        described.*,
        coalesce(
            described.list_amount,
            case when abs(line_sums.amount - described.amount) <= 0.01 * line_sums.n_lines then line_sums.list_amount end
        ) as known_list_amount,
        coalesce(
            described.cost_amount,
            case when abs(line_sums.amount - described.amount) <= 0.01 * line_sums.n_lines then line_sums.cost_amount end
        ) as known_cost_amount,
        commissions.commission_amount
    from described
    left join line_sums on described.opportunity_key = line_sums.opportunity_key
    left join {{ ref('int_deal_commissions') }} as commissions
        on described.opportunity_key = commissions.opportunity_key
),

final as (
    select
        valued.opportunity_key,
        valued.opportunity_id,
        valued.connection_id,
        valued.lead_key,
        valued.person_key,
        valued.account_key,
        valued.rep_key,
        valued.campaign_key,
        valued.region,
        valued.opportunity_type,
        channels.owner_team as source_type,
        valued.lead_source,
        valued.stated_campaign_id,
        valued.channel,
        valued.stage,
        valued.currency_code,
        valued.source_system,
        trim_scale(valued.amount) as amount,
        trim_scale(valued.amount_local) as amount_local,
        trim_scale(valued.probability) as probability,
        trim_scale(valued.amount * valued.probability) as weighted_amount,
        trim_scale(valued.known_list_amount) as list_amount,
        trim_scale(valued.known_list_amount - valued.amount) as discount_amount,
        trim_scale(
            case
                when valued.list_amount is not null
                    then
                        (valued.list_amount_local - valued.amount_local)
                        / nullif(valued.list_amount_local, 0)
                else
                    round(
                        (valued.known_list_amount - valued.amount) / nullif(valued.known_list_amount, 0), 12
                    )
            end
        ) as discount_rate,
        trim_scale(valued.amount - valued.known_cost_amount) as gross_margin,
        trim_scale(valued.commission_amount) as commission_amount,
        ({{ reporting_date('valued.closed_at') }} - {{ reporting_date('valued.created_at') }})::integer as sales_cycle_days,
        not valued.is_closed as is_open,
        valued.is_won,
        valued.is_lost,
        valued.is_created_inferred,
        valued.is_closed_inferred,
        valued.is_type_inferred,
        valued.has_future_close,
        coalesce(
            {{ reporting_date('valued.closed_at') }} < {{ reporting_date('valued.created_at') }}
            or {{ reporting_date('valued.created_at') }} < {{ reporting_date('valued.lead_created_at') }}
            or {{ reporting_date('valued.closed_at') }} < {{ reporting_date('valued.lead_created_at') }},
            false
        ) as has_sequence_anomaly,
        valued.created_at,
        valued.closed_at,
        valued.close_date as expected_close_date,
        {{ reporting_date('valued.created_at') }} as created_date,
        {{ reporting_date('valued.closed_at') }} as closed_date
    from valued
    left join {{ ref('dim_channels') }} as channels on valued.channel = channels.channel
)

select * from final
