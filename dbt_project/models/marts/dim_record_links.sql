{{ config(unique_key=['connection_id', 'record_type']) }}

with

links as (
    select * from {{ ref('record_links') }}
),

final as (
    select
        connection_id,
        record_type,
        url_pattern
    from links
)

select * from final
