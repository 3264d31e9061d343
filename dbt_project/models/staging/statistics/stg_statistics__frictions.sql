select
    -- strings
    period_grain,
    region,
    reason,

    -- numerics
    mqls,
    unanswered_rate,
    sent_back_rate,
    moves_per_lead,
    wait_share,
    disagreement_rate,
    index_spread,

    -- booleans
    is_sufficient,

    -- dates
    period_start,
    mql_quarter
from {{ source('statistics', 'frictions') }}
