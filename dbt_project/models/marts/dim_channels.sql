{{ config(unique_key=['channel']) }}

with

channels as (
    select * from {{ ref('channels') }}
),

final as (
    select
        channel,
        channel_group,
        owner_team
    from channels
)

select * from final
