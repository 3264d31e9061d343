select
    -- ids
    publication_id,

    -- dates
    as_of,
    reverted_at
from {{ source('ops', 'publications') }}
