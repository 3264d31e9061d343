{{
    config(
        unique_key=['opportunity_key'],
        scope_column='closed_date',
        indexes=[{'columns': ['closed_date']}, {'columns': ['rep_key']}],
    )
}}

{% call scope() %}
select days.date_day
from (
    select closed_date as changed_from, least(closed_date + {{ var('leakage_peer_days') }}, (
        select max(newest.closed_date) from {{ ref('fct_opportunities') }} as newest
    )) as changed_to
    from {{ changes('fct_opportunities') }}
    where closed_date is not null
) as spans
cross join lateral (
    select spans.changed_from + day_no as date_day
    from generate_series(0, greatest(spans.changed_to - spans.changed_from, 0)) as numbers (day_no)
) as days
union all
select closed_date from {{ this }}
where {{ is_touched('rep_key', 'dim_sales_reps') }}
union all
select closed_date from {{ this }}
where {{ is_touched('opportunity_key', 'int_deal_commissions') }}
{% endcall %}

with

{% if not is_full_build() -%}
span as (
    select min(scope_key) - {{ var('leakage_peer_days') }} as first_day
    from {{ this.identifier }}__scope
),

{% endif -%}
-- Won deals of the peer window before the first day in scope.
won as (
    select
        opportunities.*,
        length(trunc(abs(opportunities.list_amount))::text) as size_band,
        case
            when opportunities.list_amount > 0 and opportunities.discount_rate between 0 and 1
                then opportunities.discount_rate
        end as peer_rate
    from {{ ref('fct_opportunities') }} as opportunities
    where
        opportunities.is_won
        {% if not is_full_build() -%}
        and opportunities.closed_date >= (select span.first_day from span)
        {%- endif %}
),

-- Peers are the deals that other reps won in the days before: all deals minus the rep's own. From the most similar
-- deals to the least similar ones.
compared as (
    select
        *,
        count(peer_rate) over region_size_all - count(peer_rate) over region_size_own as n_region_size,
        count(peer_rate) over size_all - count(peer_rate) over size_own as n_size,
        count(peer_rate) over type_all - count(peer_rate) over type_own as n_type,
        coalesce(sum(peer_rate) over region_size_all, 0) - coalesce(sum(peer_rate) over region_size_own, 0) as sum_region_size,
        coalesce(sum(peer_rate) over size_all, 0) - coalesce(sum(peer_rate) over size_own, 0) as sum_size,
        coalesce(sum(peer_rate) over type_all, 0) - coalesce(sum(peer_rate) over type_own, 0) as sum_type
    from won
    window
        region_size_all as (
            partition by opportunity_type, region, size_band order by closed_date
            range between interval '{{ var("leakage_peer_days") }} days' preceding and interval '1 day' preceding
        ),
        region_size_own as (
            partition by opportunity_type, region, size_band, rep_key order by closed_date
            range between interval '{{ var("leakage_peer_days") }} days' preceding and interval '1 day' preceding
        ),
        size_all as (
            partition by opportunity_type, size_band order by closed_date
            range between interval '{{ var("leakage_peer_days") }} days' preceding and interval '1 day' preceding
        ),
        size_own as (
            partition by opportunity_type, size_band, rep_key order by closed_date
            range between interval '{{ var("leakage_peer_days") }} days' preceding and interval '1 day' preceding
        ),
        type_all as (
            partition by opportunity_type order by closed_date
            range between interval '{{ var("leakage_peer_days") }} days' preceding and interval '1 day' preceding
        ),
        type_own as (
            partition by opportunity_type, rep_key order by closed_date
            range between interval '{{ var("leakage_peer_days") }} days' preceding and interval '1 day' preceding
        )
),

expected as (
    select
        *,
        case
            when n_region_size >= {{ var('leakage_min_peers') }} then 'type, region and size'
            when n_size >= {{ var('leakage_min_peers') }} then 'type and size'
            when n_type >= {{ var('leakage_min_peers') }} then 'type'
        end as peers_by
    from compared
    where {{ in_scope('closed_date') }}
),

rated as (
    select
        *,
        case peers_by
            when 'type, region and size' then n_region_size
            when 'type and size' then n_size
            when 'type' then n_type
        end as n_peers,
        round(
            case peers_by
                when 'type, region and size' then sum_region_size / n_region_size
                when 'type and size' then sum_size / n_size
                when 'type' then sum_type / n_type
            end,
            12
        ) as expected_discount_rate
    from expected
),

final as (
    select
        rated.opportunity_key,
        rated.rep_key,
        rated.region,
        rated.opportunity_type,
        rated.peers_by,
        case
            when rated.list_amount is null then 'no list amount'
            when rated.peers_by is null then 'fewer than {{ var("leakage_min_peers") }} peers'
        end as reason,
        rated.list_amount,
        rated.discount_amount,
        rated.discount_rate,
        trim_scale(rated.expected_discount_rate) as expected_discount_rate,
        trim_scale(
            round(
                case
                    when rated.expected_discount_rate is not null
                        then greatest(0, rated.discount_rate - rated.expected_discount_rate) * rated.list_amount
                end,
                12
            )
        ) as leakage_amount,
        commissions.attainment_before as quota_attainment_before,
        commissions.step_before as commission_step_before,
        commissions.step_after as commission_step_after,
        rated.commission_amount,
        rated.n_peers::integer as n_peers,
        ({{ fiscal_quarter_start('rated.closed_date') }} + interval '3 months')::date - 1 - rated.closed_date
            as days_to_quarter_end,
        rated.closed_at,
        rated.closed_date
    from rated
    left join {{ ref('int_deal_commissions') }} as commissions on rated.opportunity_key = commissions.opportunity_key
)

select * from final
