select
    -- strings
    period_grain,
    region,
    reason,

    -- numerics
    horizon_days,
    marketing_leads,
    other_leads,
    marketing_rate,
    other_rate,
    ratio,
    ratio_low,
    ratio_high,
    difference,
    difference_low,
    difference_high,
    adjusted_ratio,

    -- booleans
    is_reversed,
    is_sufficient,

    -- dates
    period_start,
    created_quarter
from {{ source('statistics', 'close_rates') }}
