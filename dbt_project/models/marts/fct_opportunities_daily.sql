{{
    config(
        unique_key=['date_day', 'opportunity_key'],
        scope_column='date_day',
    )
}}

{% call scope() %}
{{ unpublished_days('fct_opportunities_daily') }}
{% endcall %}

{%- set published_day = last_published_day('fct_opportunities_daily') %}
{%- set carried_time_zone = published_column(
    'bi', 'fct_opportunities_daily', 'time_zone', published_time_zone('fct_opportunities_daily')
) %}

with

{% if is_full_build() -%}
opportunities as (
    select * from {{ ref('fct_opportunities') }}
),
{%- else -%}
-- Open on an unpublished day: still open, or closed since.
opportunity_keys as (
    select opportunity_key
    from {{ ref('fct_opportunities') }}
    where closed_date is null or closed_date > {{ published_day }}
    union
    select opportunity_key
    from {{ changes('fct_opportunities') }}
),

opportunities as (
    select opportunities.*
    from opportunity_keys
    inner join {{ ref('fct_opportunities') }} as opportunities
        on opportunity_keys.opportunity_key = opportunities.opportunity_key
),
{%- endif %}

-- At the end of a day the last state known by then counts; the first state is valid from the deal's creation.
states as (
    select
        states.*,
        {{ reporting_date('states.known_at') }} as known_on,
        lead({{ reporting_date('states.known_at') }}) over in_order as next_on,
        row_number() over in_order as state_no,
        bool_or(states.is_closed) over (partition by states.opportunity_key) as has_closed_state
    from opportunities
    inner join {{ ref('int_opportunity_states') }} as states
        on opportunities.opportunity_key = states.opportunity_key
    window in_order as (partition by states.opportunity_key order by states.known_at, states.state_id)
),

held as (
    select
        opportunities.opportunity_key,
        opportunities.region,
        opportunities.opportunity_type,
        opportunities.currency_code,
        opportunities.created_date,
        case
            when states.state_id is not null then states.stage
            when opportunities.is_open then opportunities.stage
        end as stage,
        case when states.state_id is not null then states.amount_local else opportunities.amount_local end as amount_local,
        coalesce(
            states.probability,
            case
                when opportunities.is_open and (states.state_id is null or states.stage = opportunities.stage)
                    then opportunities.probability
            end
        ) as probability,
        case
            when states.state_id is not null then states.expected_close_date
            when opportunities.is_open then opportunities.expected_close_date
        end as expected_close_date,
        greatest(
            opportunities.created_date,
            case when states.state_no > 1 then states.known_on end,
            {{ first_new_day('fct_opportunities_daily') }}
        ) as first_day,
        -- A deal without a recorded closing counts as open until the day of its close.
        least(
            states.next_on,
            ({{ last_day() }} + interval '1 day')::date,
            case when not coalesce(states.has_closed_state, false) then opportunities.closed_date end
        ) as end_day
    from opportunities
    left join states on opportunities.opportunity_key = states.opportunity_key
    where not coalesce(states.is_closed, false)
),

computed as (
    select
        held.opportunity_key,
        held.region,
        held.opportunity_type,
        held.stage,
        held.currency_code,
        {{ reporting_timezone() }} as time_zone,
        trim_scale(held.amount_local * rates.rate) as amount,
        trim_scale(held.amount_local) as amount_local,
        trim_scale(held.probability) as probability,
        trim_scale(held.amount_local * rates.rate * held.probability) as weighted_amount,
        held.first_day + days.day_no < {{ last_day() }} as is_reconstructed,
        held.first_day + days.day_no as date_day,
        held.created_date,
        held.expected_close_date
    from held
    -- An open deal uses the rate of its creation.
    left join {{ ref('int_currency_rates_daily') }} as rates
        on held.created_date = rates.date_day and held.currency_code = rates.currency_code
    cross join lateral generate_series(0, held.end_day - held.first_day - 1) as days (day_no)
),

{% if is_full_build() and has_published_days('fct_opportunities_daily') -%}
-- Published days do not change; another reporting currency converts their amounts (BLD-14).
carried as (
    select
        carried.opportunity_key,
        carried.region,
        carried.opportunity_type,
        carried.stage,
        carried.currency_code,
        {{ carried_time_zone }} as time_zone,
        {% if is_published_in_reporting_currency('fct_opportunities_daily') -%}
        carried.amount,
        {%- else -%}
        {{ converted_amount(
            'carried.amount_local * rates.rate', 'carried.amount * shown_rates.rate',
            'carried.amount_local * rates.rate / shown_rates.rate', 'carried.amount'
        ) }} as amount,
        {%- endif %}
        carried.amount_local,
        carried.probability,
        carried.is_reconstructed,
        carried.date_day,
        carried.created_date,
        carried.expected_close_date
    from {{ published_rows('bi', 'fct_opportunities_daily') }} as carried
    left join {{ ref('int_currency_rates_daily') }} as rates
        on carried.created_date = rates.date_day and carried.currency_code = rates.currency_code
    left join {{ ref('int_currency_rates_daily') }} as shown_rates
        on
            carried.created_date = shown_rates.date_day
            and shown_rates.currency_code = {{ published_currency('fct_opportunities_daily') }}
    where carried.date_day <= {{ published_day }}
),

{% endif -%}
snapshots as (
    select * from computed
    {%- if is_full_build() and has_published_days('fct_opportunities_daily') %}
    union all
    select
        opportunity_key,
        region,
        opportunity_type,
        stage,
        currency_code,
        time_zone,
        amount,
        amount_local,
        probability,
        trim_scale(amount * probability) as weighted_amount,
        is_reconstructed,
        date_day,
        created_date,
        expected_close_date
    from carried
    {%- endif %}
),

final as (
    select
        opportunity_key,
        region,
        opportunity_type,
        stage,
        currency_code,
        time_zone,
        amount,
        amount_local,
        probability,
        weighted_amount,
        is_reconstructed,
        date_day,
        created_date,
        expected_close_date
    from snapshots
)

select * from final
