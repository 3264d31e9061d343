{{ config(unique_key=['channel']) }}

with

channels as (
    select * from {{ ref('channels') }}
),

-- A channel in files or their manifests that is not one of ours becomes a channel of its own, so that its sums equal
-- the file's. Its owning team is unknown.
stated as (
    select stated_channel from {{ ref('stg_files__leads') }}
    union
    select stated_channel from {{ ref('stg_files__opportunities') }}
    union
    select stated_channel from {{ ref('stg_files__orders') }}
    union
    select stated_channel from {{ ref('stg_files__ad_stats') }}
    union
    select stated_channel from {{ ref('stg_files__touches') }}
),

final as (
    select
        channel,
        channel_group,
        owner_team,
        true as is_known
    from channels

    union all

    select
        stated.stated_channel as channel,
        'unknown' as channel_group,
        'unknown' as owner_team,
        false as is_known
    from stated
    left join channels on {{ comparable_name('stated.stated_channel') }} = {{ comparable_name('channels.channel') }}
    where stated.stated_channel is not null and channels.channel is null
)

select * from final
