{{ config(materialized='view') }}

-- Files quote in dollars, quote the dollar, or quote against a currency whose dollar rate is in the same file for that
-- day.
select
    'files' as origin,
    1 as precedence,
    quoted.connection_id,
    case when quoted.base_currency = 'USD' then quoted.quote_currency else quoted.base_currency end as currency_code,
    quoted.rate_date,
    trim_scale(
        case
            when quoted.quote_currency = 'USD' then quoted.rate
            when quoted.base_currency = 'USD' then 1 / nullif(quoted.rate, 0)
            else quoted.rate * in_dollars.rate
        end
    ) as rate_to_usd
from {{ ref('stg_files__exchange_rates') }} as quoted
left join {{ ref('stg_files__exchange_rates') }} as in_dollars
    on
        quoted.connection_id = in_dollars.connection_id
        and quoted.rate_date = in_dollars.rate_date
        and quoted.quote_currency = in_dollars.base_currency
        and in_dollars.quote_currency = 'USD'
        and quoted.base_currency <> 'USD'
where quoted.rate > 0

union all

-- The ECB quotes units per euro: divided by the dollar's quotation of the same day, they give dollars per unit.
select
    'exchange_rates' as origin,
    2 as precedence,
    quoted.connection_id,
    case when quoted.currency_code = 'USD' then 'EUR' else quoted.currency_code end as currency_code,
    quoted.rate_date,
    trim_scale(
        case
            when quoted.currency_code = 'USD' then quoted.units_per_euro
            else dollars.units_per_euro / nullif(quoted.units_per_euro, 0)
        end
    ) as rate_to_usd
from {{ ref('stg_exchange_rates__rates') }} as quoted
inner join {{ ref('stg_exchange_rates__rates') }} as dollars
    on
        quoted.connection_id = dollars.connection_id
        and quoted.rate_date = dollars.rate_date
        and dollars.currency_code = 'USD'

union all

select
    'seed' as origin,
    3 as precedence,
    'seed' as connection_id,
    currency_code,
    rate_date,
    rate_to_usd
from {{ ref('currency_rates') }}

union all

-- Rates in a CRM, for currencies without another origin.
select
    'salesforce' as origin,
    4 as precedence,
    connection_id,
    currency_code,
    rate_date,
    rate_to_usd
from {{ ref('int_crm_currency_rates') }}
