select
    -- strings
    conversion_type,
    channel,

    -- numerics
    conversion_rate,
    removal_effect,

    -- dates
    month_start
from {{ source('statistics', 'removal_effects') }}
