with

source as (
    select * from {{ source('ops', 'publications') }}
),

renamed as (
    select
        -- ids
        publication_id,

        -- dates
        as_of,
        reverted_at
    from source
)

select * from renamed
