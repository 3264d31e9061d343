select
    -- strings
    period_grain,
    region,
    reason,

    -- numerics
    won,
    customers,
    sourced_share,
    sourced_low,
    sourced_high,
    influenced_share,
    influenced_low,
    influenced_high,

    -- booleans
    is_sufficient,

    -- dates
    period_start,
    quarter_start
from {{ source('statistics', 'revenue_shares') }}
