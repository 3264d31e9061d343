{{
    config(
        unique_key=['opportunity_key'],
        scope_column='quarter_start',
        indexes=[{'columns': ['quarter_start']}, {'columns': ['rep_key']}],
    )
}}

{% call scope() %}
select quarter_start from {{ changes('int_quotas') }}
union all
select quarter_start
from {{ this }}
where {{ is_touched('opportunity_key', 'int_opportunities') }}
union all
select {{ fiscal_quarter_start('rate_date') }}
from {{ ref('int_opportunities') }}
where is_won and {{ is_touched('opportunity_key', 'int_opportunities') }}
union all
select {{ fiscal_quarter_start('date_day') }} from {{ changes('int_currency_rates_daily') }}
union all
select quarter_start
from {{ this }}
where {{ is_touched('rep_key', 'dim_sales_reps') }}
union all
select quarter_start from {{ this }}
where exists (select 1 from {{ ref('stg_files__commission_plans') }} where {{ is_loaded_since('load_id') }})
{% endcall %}

with

-- Quarters as spans of days, so that a deal is found through the index on its day: for a won deal, the day of its
-- close.
quarters as (
    select
        date_day as quarter_start,
        (date_day + interval '3 months')::date as quarter_end
    from {{ ref('dim_dates') }}
    where date_day = {{ fiscal_quarter_start('date_day') }} and {{ in_scope('date_day') }}
),

won as (
    select
        deals.opportunity_key,
        deals.closed_at,
        deals.opportunity_type,
        records.rep_key,
        reps.team,
        reps.region,
        deals.amount_local * rates.rate as amount,
        deals.rate_date as closed_date,
        quarters.quarter_start
    from quarters
    inner join {{ ref('int_opportunities') }} as deals
        on quarters.quarter_start <= deals.rate_date and quarters.quarter_end > deals.rate_date
    inner join {{ ref('int_sales_rep_records') }} as records
        on
            deals.source_system = records.source_system
            and deals.connection_id = records.connection_id
            and deals.owner_id = records.record_id
    inner join {{ ref('dim_sales_reps') }} as reps on records.rep_key = reps.rep_key
    left join {{ ref('int_currency_rates_daily') }} as rates
        on deals.rate_date = rates.date_day and deals.currency_code = rates.currency_code
    where deals.is_won and deals.closed_at is not null
),

-- The quota is the team's in the rep's region, else the team's everywhere. Renewals count for no quota.
measured as (
    select
        won.*,
        coalesce(own.quota, everywhere.quota) as quota,
        sum(case when won.opportunity_type = 'renewal' then 0 else coalesce(won.amount, 0) end) over (
            partition by won.quarter_start, won.team, case when own.quota is not null then won.region end
            order by won.closed_at, won.opportunity_key
            rows between unbounded preceding and current row
        ) - case when won.opportunity_type = 'renewal' then 0 else coalesce(won.amount, 0) end as won_before
    from won
    left join {{ ref('int_quotas') }} as own
        on won.quarter_start = own.quarter_start and won.team = own.team and won.region = own.region
    left join {{ ref('int_quotas') }} as everywhere
        on won.quarter_start = everywhere.quarter_start and won.team = everywhere.team and everywhere.region = '(all)'
),

-- The team's plan on the day, else the plan of all teams; its steps in money, the first from 0.
steps as (
    select
        measured.opportunity_key,
        plans.step_from,
        plans.commission_rate,
        case when plans.step_from = 0 then 0 else plans.step_from * measured.quota end as money_from,
        plans.step_to * measured.quota as money_to,
        measured.won_before,
        measured.won_before + measured.amount as won_after,
        plans.step_to is null or measured.quota is not null as is_known
    from measured
    inner join {{ ref('int_commission_steps') }} as plans
        on
            measured.closed_date >= plans.valid_from
            and measured.closed_date < coalesce(plans.valid_to, 'infinity')
            and (
                measured.team = plans.team
                or (
                    plans.team = '(all)'
                    and not exists (
                        select 1 from {{ ref('int_commission_steps') }} as own_plans
                        where
                            own_plans.team = measured.team
                            and measured.closed_date >= own_plans.valid_from
                            and measured.closed_date < coalesce(own_plans.valid_to, 'infinity')
                    )
                )
            )
    where measured.opportunity_type <> 'renewal'
),

-- Each step pays its rate for its part of the deal; a credit reduces it.
paid as (
    select
        opportunity_key,
        sum(
            commission_rate * sign(won_after - won_before)
            * greatest(0, least(greatest(won_before, won_after), money_to) - greatest(least(won_before, won_after), money_from))
        ) as commission_amount,
        max(step_from) filter (where won_before >= money_from) as step_before,
        max(step_from) filter (where won_after >= money_from) as step_after,
        bool_and(is_known) as is_known
    from steps
    group by opportunity_key
),

final as (
    select
        measured.opportunity_key,
        measured.rep_key,
        measured.team,
        measured.region as quota_region,
        trim_scale(measured.quota) as quota,
        case
            when measured.opportunity_type <> 'renewal'
                then trim_scale(round(measured.won_before / nullif(measured.quota, 0), 12))
        end as attainment_before,
        case when paid.is_known then trim_scale(paid.step_before) end as step_before,
        case when paid.is_known then trim_scale(paid.step_after) end as step_after,
        case when paid.is_known then trim_scale(round(paid.commission_amount, 12)) end as commission_amount,
        measured.quarter_start
    from measured
    left join paid on measured.opportunity_key = paid.opportunity_key
)

select * from final
