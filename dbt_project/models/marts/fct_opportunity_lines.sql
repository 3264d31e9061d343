{{
    config(
        unique_key=['opportunity_key', 'line_no'],
        scope_column='opportunity_key',
        indexes=[{'columns': ['product_key']}, {'columns': ['line_no']}],
    )
}}

{% call scope() %}
select opportunity_key from {{ changes('int_opportunities') }}
union all
select {{ surrogate_key(['connection_id', 'connection_id', 'opportunity_id']) }}
from {{ ref('stg_files__opportunity_lines') }}
where {{ is_loaded_since('load_id') }}
union all
select {{ surrogate_key(["'salesforce'", 'connection_id', 'opportunity_id']) }}
from {{ ref('stg_salesforce__opportunity_line_items') }}
where {{ is_loaded_since('load_id') }}
union all
select {{ surrogate_key(["'hubspot'", 'connection_id', 'deal_id']) }}
from {{ ref('stg_hubspot__line_items') }}
where {{ is_loaded_since('load_id') }}
union all
select {{ surrogate_key(["'hubspot'", 'merged.connection_id', 'merged.survivor_id']) }}
from {{ ref('stg_hubspot__line_items') }} as lines
inner join {{ ref('int_record_merges') }} as merged
    on lines.connection_id = merged.connection_id and lines.deal_id = merged.loser_id
where merged.source_system = 'hubspot' and merged.record_type = 'deal' and {{ is_loaded_since('lines.load_id') }}
union all
select {{ surrogate_key(["'hubspot'", 'merged.connection_id', 'ids.deal_id']) }}
from {{ changes('int_record_merges') }} as merged
cross join lateral (values (merged.loser_id), (merged.survivor_id)) as ids (deal_id)
where merged.source_system = 'hubspot' and merged.record_type = 'deal'
union all
select opportunity_key
from {{ this }}
where line_no in (select line_item_id from {{ ref('stg_hubspot__line_items') }} where {{ is_loaded_since('load_id') }})
union all
select opportunity_key
from {{ ref('int_opportunities') }}
where {{ is_touched('rate_date', 'int_currency_rates_daily', column='date_day') }}
union all
select opportunity_key
from {{ this }}
where product_key in (
    select md5(product_id) from {{ changes('int_product_prices') }}
    union all
    select md5(product_id) from {{ changes('int_product_costs') }}
)
{% endcall %}

{#- A line that is archived or moved no longer names its former deal: the stored row does. -#}

with

opportunities as (
    select * from {{ ref('int_opportunities') }}
    where {{ in_scope('opportunity_key') }}
),

filed_lines as (
    select
        opportunities.opportunity_key,
        lines.line_no,
        lines.product_id,
        coalesce(lines.currency_code, opportunities.currency_code) as currency_code,
        lines.units,
        coalesce(lines.list_amount_local, lines.amount_local + lines.discount_amount_local) as list_amount_local,
        coalesce(lines.amount_local, lines.list_amount_local - coalesce(lines.discount_amount_local, 0)) as amount_local,
        opportunities.rate_date
    from opportunities
    inner join {{ ref('stg_files__opportunity_lines') }} as lines
        on
            opportunities.connection_id = lines.connection_id
            and opportunities.source_system = lines.connection_id
            and opportunities.opportunity_id = lines.opportunity_id
),

salesforce_lines as (
    select
        opportunities.opportunity_key,
        lines.line_item_id as line_no,
        lines.product_id,
        coalesce(lines.currency_code, opportunities.currency_code) as currency_code,
        lines.units,
        lines.list_amount_local,
        lines.amount_local,
        opportunities.rate_date
    from opportunities
    inner join {{ ref('stg_salesforce__opportunity_line_items') }} as lines
        on
            opportunities.connection_id = lines.connection_id
            and opportunities.opportunity_id = lines.opportunity_id
    where opportunities.source_system = 'salesforce' and not coalesce(lines.is_deleted, false)
),

-- A line of a deal that was merged into another belongs to the survivor.
deals_of_opportunities as (
    select
        opportunity_key,
        connection_id,
        opportunity_id as deal_id
    from opportunities
    where source_system = 'hubspot'

    union all

    select
        opportunities.opportunity_key,
        merged.connection_id,
        merged.loser_id as deal_id
    from opportunities
    inner join {{ ref('int_record_merges') }} as merged
        on opportunities.connection_id = merged.connection_id and opportunities.opportunity_id = merged.survivor_id
    where opportunities.source_system = 'hubspot' and merged.source_system = 'hubspot' and merged.record_type = 'deal'
),

hubspot_lines as (
    select
        opportunities.opportunity_key,
        lines.line_item_id as line_no,
        lines.product_id,
        coalesce(lines.currency_code, opportunities.currency_code) as currency_code,
        lines.units,
        lines.list_amount_local,
        lines.amount_local,
        opportunities.rate_date
    from opportunities
    inner join deals_of_opportunities as deals on opportunities.opportunity_key = deals.opportunity_key
    inner join {{ ref('stg_hubspot__line_items') }} as lines
        on deals.connection_id = lines.connection_id and deals.deal_id = lines.deal_id
    where not coalesce(lines.is_archived, false)
),

-- A deal that names its product itself has one line of it.
whole_deals as (
    select
        opportunity_key,
        '1' as line_no,
        product_id,
        currency_code,
        null::numeric as units,
        list_amount_local,
        amount_local,
        rate_date,
        1 as units_assumed
    from opportunities
    where
        product_id is not null
        and not exists (
            select 1 from filed_lines
            where filed_lines.opportunity_key = opportunities.opportunity_key
        )
),

stated_lines as (
    select * from filed_lines
    union all
    select * from salesforce_lines
    union all
    select * from hubspot_lines
),

lines as (
    select
        *,
        null::integer as units_assumed
    from stated_lines
    union all
    select * from whole_deals
),

-- Values that the line does not state come from the price list of the day whose rate counts. A deal with a product and
-- no quantity has the quantity 1.
priced as (
    select
        lines.opportunity_key,
        lines.product_id,
        lines.line_no,
        lines.units,
        coalesce(
            lines.list_amount_local * rates.rate,
            coalesce(lines.units, lines.units_assumed) * prices.list_price * price_rates.rate
        ) as list_amount,
        lines.amount_local * rates.rate as amount,
        coalesce(lines.units, lines.units_assumed) * costs.unit_cost * cost_rates.rate as cost_amount,
        lines.list_amount_local is null and prices.list_price is not null as is_list_price_inferred
    from lines
    -- At the rate of their deal, so that lines add up to it.
    left join {{ ref('int_currency_rates_daily') }} as rates
        on lines.rate_date = rates.date_day and lines.currency_code = rates.currency_code
    left join {{ ref('int_product_prices') }} as prices
        on
            lines.product_id = prices.product_id
            and lines.rate_date >= prices.valid_from
            and lines.rate_date < coalesce(prices.valid_to, 'infinity')
    left join {{ ref('int_currency_rates_daily') }} as price_rates
        on lines.rate_date = price_rates.date_day and prices.currency_code = price_rates.currency_code
    left join {{ ref('int_product_costs') }} as costs
        on
            lines.product_id = costs.product_id
            and lines.rate_date >= costs.valid_from
            and lines.rate_date < coalesce(costs.valid_to, 'infinity')
    left join {{ ref('int_currency_rates_daily') }} as cost_rates
        on lines.rate_date = cost_rates.date_day and costs.currency_code = cost_rates.currency_code
),

final as (
    select
        opportunity_key,
        case when product_id is not null then {{ surrogate_key(['product_id']) }} end as product_key,
        line_no,
        trim_scale(units) as units,
        trim_scale(list_amount) as list_amount,
        trim_scale(list_amount - amount) as discount_amount,
        trim_scale(amount) as amount,
        trim_scale(cost_amount) as cost_amount,
        is_list_price_inferred
    from priced
)

select * from final
