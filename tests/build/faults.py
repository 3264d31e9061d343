"""Mistakes that a developer could make in the dbt project, each with the test that must find it."""

from dataclasses import dataclass
from pathlib import Path

MODELS = Path("models")


@dataclass(frozen=True)
class Fault:
    """`model` with `right` replaced by `wrong`; `caught_by` is the name of a dbt test or the text of an expectation."""

    name: str
    model: str
    right: str
    wrong: str
    caught_by: str


FAULTS = [
    # Rows lost or multiplied.
    Fault(
        "campaign_versions_overlap_for_a_day",
        "marts/fct_ad_stats_daily",
        "stats.date_day < versions.valid_to",
        "stats.date_day <= versions.valid_to",
        "spend_stands_at_the_rate_of_its_day",
    ),
    Fault(
        "campaigns_without_a_version_are_dropped",
        "marts/fct_ad_stats_daily",
        "left join versions\n        on",
        "inner join versions\n        on",
        "spend_stands_at_the_rate_of_its_day",
    ),
    Fault(
        "an_account_read_twice_counts_twice",
        "marts/fct_ad_stats_daily",
        "ad_account_id, campaign_id, source_system, connection_id)\n    where",
        "ad_account_id, campaign_id, source_system)\n    where",
        "spend_stands_at_the_rate_of_its_day",
    ),
    Fault(
        "days_without_spend_lose_their_leads",
        "marts/fct_funnel_daily",
        "full outer join events_by_day using",
        "left join events_by_day using",
        "assert_funnel_counts_reconcile",
    ),
    Fault(
        "days_without_leads_lose_their_sessions",
        "marts/fct_funnel_daily",
        "full outer join sessions_by_day using",
        "left join sessions_by_day using",
        "spend_is_split_by_region_without_losing_a_cent_or_a_click",
    ),
    Fault(
        "an_order_is_counted_by_its_lines",
        "marts/fct_funnel_daily",
        "count(distinct order_key) as orders",
        "count(*) as orders",
        "assert_orders_reconcile",
    ),
    Fault(
        "touches_of_nobody_we_know_are_dropped",
        "marts/fct_touchpoints",
        "inner join people on",
        "inner join (select * from people where account_key is not null) as people on",
        "touches in = touches out",
    ),
    Fault(
        "leads_without_a_region_are_dropped",
        "marts/fct_leads",
        "inner join people on staged.person_key = people.person_key\n    left join agreed",
        "inner join people on staged.person_key = people.person_key and people.region <> 'Unknown'\n"
        "    left join agreed",
        "assert_people_and_leads_reconcile",
    ),
    Fault(
        "an_order_without_lines_vanishes",
        "marts/fct_orders",
        "where orders.order_key not in (select order_key from known_lines)",
        "where false",
        "an_order_line_is_what_was_paid_less_what_came_back",
    ),
    # Its second row has the key of a stored one.
    Fault(
        "a_rate_is_carried_a_day_too_long",
        "intermediate/money/int_currency_rates_daily",
        "- quoted.rate_date - 1",
        "- quoted.rate_date",
        "Model int_currency_rates_daily could not be built",
    ),
    # The wrong clock.
    Fault(
        "won_on_the_day_of_creation",
        "marts/fct_funnel_daily",
        "closed_date as date_day",
        "created_date as date_day",
        "assert_funnel_counts_reconcile",
    ),
    Fault(
        "the_latest_mql_instead_of_the_first",
        "marts/fct_leads",
        "min(occurred_at) filter (where stage = 'mql')",
        "max(occurred_at) filter (where stage = 'mql')",
        "a_lead_takes_each_stage_at_its_earliest_time",
    ),
    Fault(
        "a_days_version_is_described_a_day_late",
        "marts/dim_campaigns_history",
        "(fetched_at at time zone 'UTC')::date - 1 as described_date",
        "(fetched_at at time zone 'UTC')::date as described_date",
        "a_new_name_begins_a_version_the_day_before_it_was_read",
    ),
    Fault(
        "days_in_utc_whatever_the_reporting_zone",
        "marts/fct_leads",
        "{{ reporting_date('staged.created_at') }} as created_date",
        "staged.created_at::date as created_date",
        "days_are_those_of_the_reporting_zone",
    ),
    Fault(
        "a_week_has_six_days",
        "marts/fct_funnel_daily",
        "round(weeks.sales_amount * (days.day_no + 1) / 7, 4)",
        "round(weeks.sales_amount * (days.day_no + 1) / 6, 4)",
        "a_week_of_sell_through_is_spread_evenly_over_its_days",
    ),
    Fault(
        "an_inferred_stage_takes_the_last_time",
        "marts/fct_stage_events",
        "order by later.step_no\n",
        "order by later.step_no desc\n",
        "a_skipped_stage_is_inferred_when_the_next_one_is_reached",
    ),
    # Money.
    Fault(
        "spend_keeps_its_own_currency",
        "marts/fct_ad_stats_daily",
        "stats.spend_local * rates.rate as spend",
        "stats.spend_local as spend",
        "assert_money_is_converted",
    ),
    Fault(
        "claimed_value_keeps_its_own_currency",
        "marts/fct_ad_stats_daily",
        "stats.platform_conversion_value_local * rates.rate as",
        "stats.platform_conversion_value_local as",
        "spend_stands_at_the_rate_of_its_day",
    ),
    Fault(
        "deals_keep_their_own_currency",
        "marts/fct_opportunities",
        "opportunities.amount_local * rates.rate as amount",
        "opportunities.amount_local as amount",
        "assert_money_is_converted",
    ),
    Fault(
        "refunds_are_forgotten",
        "marts/fct_orders",
        "- case when refunded.order_key is null then 0 else refunded.refund_amount end\n        ) as net_amount",
        ") as net_amount",
        "net_is_what_discounts_and_refunds_leave",
    ),
    Fault(
        "discounts_are_forgotten",
        "marts/fct_orders",
        "(lines.gross_local - lines.discount_local) * rates.rate",
        "lines.gross_local * rates.rate",
        "net_is_what_discounts_and_refunds_leave",
    ),
    Fault(
        "chances_are_percentages",
        "marts/fct_opportunities",
        "trim_scale(valued.probability) as probability",
        "trim_scale(valued.probability * 100) as probability",
        "the probability lies between 0 and 1",
    ),
    Fault(
        "weighted_by_percentages",
        "marts/fct_opportunities",
        "valued.amount * valued.probability",
        "valued.amount * valued.probability * 100",
        "the weighted amount is never more than the amount",
    ),
    # Meaning.
    Fault(
        "renewals_are_new_business",
        "marts/fct_funnel_daily",
        "where opportunity_type <> 'renewal'",
        "where true",
        "assert_funnel_counts_reconcile",
    ),
    Fault(
        "an_invoice_of_a_deal_is_revenue_again",
        "marts/fct_funnel_daily",
        "where is_revenue and",
        "where is_counted and",
        "assert_orders_reconcile",
    ),
    Fault(
        "cancelled_orders_are_revenue",
        "marts/fct_funnel_daily",
        "where is_revenue and",
        "where opportunity_key is null and",
        "spend_is_split_by_region_without_losing_a_cent_or_a_click",
    ),
    Fault(
        "won_and_lost_change_places",
        "marts/fct_funnel_daily",
        "case when is_won then 'won' else 'lost' end as step",
        "case when is_won then 'lost' else 'won' end as step",
        "assert_funnel_counts_reconcile",
    ),
    Fault(
        "a_closed_cycle_stays_open",
        "intermediate/persons/int_person_events",
        "not is_closer and was_closed as starts_cycle",
        "not is_closer and was_closed and event_no = 1 as starts_cycle",
        "a_response_opens_a_cycle_only_while_none_is_open",
    ),
    Fault(
        "no_source_is_a_zero",
        "marts/fct_funnel_daily",
        "case when {{ has_leads }} then coalesce(events_by_day.leads, 0) end as leads",
        "coalesce(events_by_day.leads, 0) as leads",
        "what_is_not_configured_is_null_and_not_zero",
    ),
    # Clocks, velocity and retail.
    Fault(
        "lost_leads_leave_the_denominator_of_a_cohort",
        "marts/fct_funnel_cohorts",
        "where {{ in_months_of_scope('created_date') }}",
        "where lost_at is null and {{ in_months_of_scope('created_date') }}",
        "a_cohort_is_watched_until_the_last_complete_day",
    ),
    Fault(
        "a_cohort_is_watched_into_the_day_that_is_running",
        "marts/fct_funnel_cohorts",
        "- 1 - created_date, 0)",
        "- created_date, 0)",
        "a_cohort_is_watched_until_the_last_complete_day",
    ),
    Fault(
        "young_cohorts_are_divided_as_if_they_were_old",
        "marts/fct_funnel_cohorts",
        "when estimated.is_mature then 1 - estimated.reached",
        "when true then 1 - estimated.reached",
        "a_cohort_is_watched_until_the_last_complete_day",
    ),
    Fault(
        "a_cohort_knows_what_happened_after_as_of",
        "marts/fct_funnel_cohorts",
        "when steps.reached_date - leads.created_date <= leads.observed_days\n",
        "when true\n",
        "a_cohort_is_watched_until_the_last_complete_day",
    ),
    Fault(
        "cohorts_are_final_too_early",
        "marts/fct_funnel_cohorts",
        "factors.cohort_month + interval '1 month' <= ages.mature_until as",
        "factors.cohort_month + interval '1 month' - interval '200 days' <= ages.mature_until as",
        "a_cohort_is_watched_until_the_last_complete_day",
    ),
    Fault(
        "renewals_cross_the_bridge",
        "marts/fct_funnel_bridge",
        "where opportunity_type <> 'renewal'",
        "where true",
        "activity_and_cohort_meet_in_the_bridge",
    ),
    Fault(
        "deals_without_a_lead_are_on_no_clock",
        "marts/fct_funnel_bridge",
        "left join leads on opportunities.lead_key",
        "inner join leads on opportunities.lead_key",
        "activity_and_cohort_meet_in_the_bridge",
    ),
    Fault(
        "a_cohort_begins_after_what_it_led_to",
        "marts/fct_funnel_bridge",
        "least(coalesce(leads.created_date, opportunities.created_date), steps.reached_date)",
        "coalesce(leads.created_date, opportunities.created_date)",
        "activity_and_cohort_meet_in_the_bridge",
    ),
    Fault(
        "a_deal_closed_on_the_first_was_not_open_the_day_before",
        "marts/rpt_sales_velocity",
        "months.next_month <= opportunities.closed_date",
        "months.next_month < opportunities.closed_date",
        "velocity_is_open_times_rate_times_amount_by_cycle",
    ),
    Fault(
        "expansions_are_new_business",
        "marts/rpt_sales_velocity",
        "where opportunity_type = 'new_business'",
        "where true",
        "velocity_is_open_times_rate_times_amount_by_cycle",
    ),
    Fault(
        "cycles_of_less_than_no_days_are_averaged",
        "marts/rpt_sales_velocity",
        "opportunities.is_won and opportunities.sales_cycle_days >= 0) as n_cycles",
        "opportunities.is_won) as n_cycles",
        "velocity_is_open_times_rate_times_amount_by_cycle",
    ),
    Fault(
        "an_invoice_is_a_sale_of_the_shop",
        "marts/rpt_retail_gap",
        "orders.is_revenue",
        "orders.is_counted",
        "retail_meets_campaigns_by_week_and_region",
    ),
    Fault(
        "the_last_day_of_a_retailers_week_is_left_out",
        "marts/rpt_retail_gap",
        "week_starts.week_start > daily.date_day - 7",
        "week_starts.week_start > daily.date_day - 6",
        "retail_meets_campaigns_by_week_and_region",
    ),
    Fault(
        "a_source_nobody_configured_reports_0",
        "marts/fct_funnel_monthly",
        "sum(orders)::bigint",
        "coalesce(sum(orders), 0)::bigint",
        "a_month_is_the_sum_of_its_days_and_null_stays_null",
    ),
    # Attribution and return.
    Fault(
        "credit_before_cause",
        "intermediate/touches/int_conversion_touches",
        "and conversions.converted_at > touchpoints.touched_at",
        "and conversions.converted_at >= touchpoints.touched_at",
        "a_path_is_what_came_before_and_inside_the_window",
    ),
    Fault(
        "the_window_is_a_moment_too_short",
        "intermediate/touches/int_conversion_touches",
        "days' <= touchpoints.touched_at",
        "days' < touchpoints.touched_at",
        "a_path_is_what_came_before_and_inside_the_window",
    ),
    Fault(
        "equal_times_all_take_the_first_touch",
        "intermediate/touches/int_conversion_touches",
        "row_number() over (\n            partition by conversions.conversion_id\n"
        "            order by touchpoints.touched_at, touchpoints.source_system, touchpoints.touch_id",
        "rank() over (\n            partition by conversions.conversion_id\n"
        "            order by touchpoints.touched_at",
        "a_path_is_what_came_before_and_inside_the_window",
    ),
    Fault(
        "a_touch_creates_the_opportunity_it_came_with",
        "intermediate/touches/int_conversion_touches",
        "conversions.opportunity_created_at > touchpoints",
        "conversions.opportunity_created_at >= touchpoints",
        "a_path_is_what_came_before_and_inside_the_window",
    ),
    Fault(
        "a_person_named_twice_on_a_deal_is_credited_twice",
        "intermediate/touches/int_conversion_touches",
        "    union\n\n    select\n        opportunity_key as converted_key",
        "    union all\n\n    select\n        opportunity_key as converted_key",
        "a_path_is_what_came_before_and_inside_the_window",
    ),
    Fault(
        "renewals_are_credited_to_advertising",
        "intermediate/touches/int_conversion_touches",
        "where opportunity_type <> 'renewal' and {{",
        "where {{",
        "a_path_is_what_came_before_and_inside_the_window",
    ),
    Fault(
        "the_rest_of_thirds_is_lost",
        "marts/fct_attribution",
        "case when is_last then 1 - sum(linear_weight) over whole_path + linear_weight else linear_weight end",
        "linear_weight",
        "every_model_of_attribution_gives_its_shares",
    ),
    Fault(
        "the_half_life_is_in_hours",
        "marts/fct_attribution",
        "(86400.0 *",
        "(3600.0 *",
        "every_model_of_attribution_gives_its_shares",
    ),
    Fault(
        "direct_takes_the_last_touch",
        "marts/fct_attribution",
        "touches.channel <> 'Direct'",
        "touches.channel <> 'Events'",
        "every_model_of_attribution_gives_its_shares",
    ),
    Fault(
        "the_creation_of_an_opportunity_has_a_close",
        "marts/fct_attribution",
        "touches.touch_no = touches.n_touches and touches.conversion_type <> 'opportunity' as is_close",
        "touches.touch_no = touches.n_touches as is_close",
        "every_model_of_attribution_gives_its_shares",
    ),
    Fault(
        "shapley_counts_touches_and_not_channels",
        "marts/fct_attribution",
        "1.0 / n_channel_touches / sum(1.0 / n_channel_touches)",
        "1.0 / n_touches / sum(1.0 / n_touches)",
        "every_model_of_attribution_gives_its_shares",
    ),
    Fault(
        "conversions_without_a_touch_are_dropped",
        "marts/fct_attribution",
        "where touches.n_touches = 0",
        "where false",
        "every_model_of_attribution_gives_its_shares",
    ),
    Fault(
        "a_return_undoes_a_silence",
        "intermediate/touches/int_lead_endings",
        "order by leads.lead_key, pauses.silent_at",
        "order by leads.lead_key, pauses.silent_at desc",
        "a_journey_ends_once_without_what_was_hoped_for",
    ),
    Fault(
        "a_silence_is_counted_before_it_has_lasted",
        "intermediate/touches/int_channel_transitions",
        "ended_at < {{ as_of() }}",
        "ended_at <= {{ as_of() }}",
        "steps_of_journeys_are_counted_by_month_and_type",
    ),
    Fault(
        "spend_that_converted_nothing_is_dropped",
        "marts/rpt_channel_return",
        "    left join returns\n",
        "    inner join returns\n",
        "spend_that_converted_nothing_stays_in_the_return",
    ),
    Fault(
        "the_range_spans_one_model",
        "marts/rpt_channel_return",
        "window same_cell as (partition by month_start, channel,",
        "window same_cell as (partition by model, month_start, channel,",
        "spend_that_converted_nothing_stays_in_the_return",
    ),
    Fault(
        "costs_follow_spend_where_customers_were_won",
        "marts/rpt_channel_return",
        "when sum(combined.new_customers) over same_pool > 0\n",
        "when false\n",
        "costs_are_charged_to_whom_they_brought",
    ),
    Fault(
        "costs_that_nobody_caused_are_dropped",
        "marts/rpt_channel_return",
        "            and charged.share <> 0\n",
        "",
        "costs_are_charged_to_whom_they_brought",
    ),
    Fault(
        "what_touches_earned_is_dropped",
        "marts/rpt_channel_return",
        "        cohort_revenue\n    from touched",
        "        0 as cohort_revenue\n    from touched",
        "costs_are_charged_to_whom_they_brought",
    ),
    Fault(
        "costs_are_summed_as_if_of_one_currency",
        "intermediate/money/int_costs",
        "then 1 else rates.rate end",
        "then 1 else 1 end",
        "costs_are_in_the_reporting_currency",
    ),
]
