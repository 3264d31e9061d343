{{ config(materialized='view') }}

{#- The corporate currency has the rate 1, whether dated rates contain it or not. -#}
{%- set known_rates -%}
    (
        select
            connection_id,
            currency_code,
            conversion_rate,
            starts_on,
            ends_before
        from {{ ref('stg_salesforce__currency_rates') }}
        union all
        select
            connection_id,
            currency_code,
            1 as conversion_rate,
            '2000-01-01'::date as starts_on,
            null::date as ends_before
        from {{ ref('stg_salesforce__currency_types') }}
        where is_corporate
    )
{%- endset -%}

-- Salesforce's dated rates are units per unit of the corporate currency. The organisation's own dollar rate converts
-- them to dollars per unit; without a dollar rate there are none. A row begins when either rate begins.
select distinct on (rates.connection_id, rates.currency_code, dates.starts_on)
    rates.connection_id,
    rates.currency_code,
    dates.starts_on as rate_date,
    trim_scale(dollars.conversion_rate / rates.conversion_rate) as rate_to_usd
from {{ known_rates }} as rates
inner join {{ known_rates }} as dollars
    on rates.connection_id = dollars.connection_id and dollars.currency_code = 'USD' and dollars.conversion_rate > 0
cross join lateral (values (rates.starts_on), (dollars.starts_on)) as dates (starts_on)
where
    rates.conversion_rate > 0
    and rates.currency_code <> 'USD'
    and dates.starts_on >= rates.starts_on
    and dates.starts_on >= dollars.starts_on
    and (dates.starts_on < rates.ends_before or rates.ends_before is null)
    and (dates.starts_on < dollars.ends_before or dollars.ends_before is null)
order by rates.connection_id, rates.currency_code, dates.starts_on, rates.starts_on desc, dollars.starts_on desc
