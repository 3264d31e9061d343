"""Spend, costs, sessions and credit of the published company equal the truth."""

from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal

from sandbox import planning, truth
from sandbox.scenario import Scenario
from tests.end_to_end.company.conftest import ANCHOR, DAYS
from tests.end_to_end.company.rates import Rates
from tests.end_to_end.pipeline import Pipeline, rows
from tests.rounding import half_up


def test_spend_per_day_platform_and_campaign_to_the_cent(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    expected = {
        (row.day, row.platform, row.ad_account_id, row.campaign_id): (
            row.amount,
            row.currency,
            row.impressions,
            row.clicks,
        )
        for row in truth.spend(scenario, now, ANCHOR - timedelta(days=DAYS), ANCHOR - timedelta(days=1))
    }
    found = {
        (row["date_day"], row["platform"], row["ad_account_id"], row["campaign_id"]): (
            row["spend_local"], row["currency_code"], row["impressions"], row["clicks"],
        )
        for row in rows("select * from bi.fct_ad_stats_daily")
    }  # fmt: skip
    assert len(expected) > 1000
    assert found == expected
    rates = Rates()
    total = sum(
        (rates.convert(amount, currency, key[0]) for key, (amount, currency, _, _) in expected.items()), Decimal()
    )
    assert rows("select sum(spend) as spend from bi.fct_funnel_daily")[0]["spend"] == total
    assert rows("select sum(spend) as spend from bi.rpt_channel_return where model = 'linear'")[0]["spend"] == total


def test_odd_texts_of_everyday_are_repaired_and_noted(company: Pipeline) -> None:
    noted = rows(
        "select distinct source, stream, column_name, what from ops.noted_values join ops.loads using (load_id)"
    )
    found = {(row["source"], row["stream"], row["column_name"], row["what"]) for row in noted}
    assert found == {
        ("meta_ads", "campaigns", "campaign_name", "half a letter replaced"),
        ("linkedin_ads", "campaigns", "campaign_name", "half a letter replaced"),
        ("ga4", "sessions", "campaign_name", "half a letter replaced"),
        ("hubspot", "deals", "lost_reason", "NUL dropped"),
    }
    names = rows("select campaign_name from bi.dim_campaigns where campaign_name like '%\ufffd%' order by 1")
    assert [row["campaign_name"] for row in names] == ["Employer Brand US \ufffd", "Video Views US \ufffd"]


def test_costs_beyond_media_are_charged_whole_by_every_model(company: Pipeline) -> None:
    rates = Rates()
    expected: dict[date, Decimal] = defaultdict(Decimal)
    for cost in planning.costs(ANCHOR):
        expected[cost.month] += rates.convert(Decimal(cost.amount), cost.currency_code, cost.month)
    charged = rows(
        "select model, month_start, sum(costs) as costs from bi.rpt_channel_return where costs is not null "
        "group by model, month_start"
    )
    assert len({row["model"] for row in charged}) == 11
    assert {(row["model"], row["month_start"]): half_up(row["costs"], 6) for row in charged} == {
        (row["model"], month): half_up(amount, 6) for row in charged for month, amount in expected.items()
    }


def test_sessions_per_day_channel_campaign_and_country(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    expected: dict[tuple[object, ...], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    held_back: dict[tuple[date, str], bool] = {}
    for row in truth.visits(scenario, now, ANCHOR - timedelta(days=DAYS), ANCHOR - timedelta(days=1)):
        key = (row.day, row.property_id, row.channel, row.campaign_id or "(no campaign)", row.country)
        for place, figure in enumerate((row.sessions, row.engaged, row.users, row.key_events)):
            expected[key][place] += figure
        held_back[row.day, row.property_id] = row.is_thresholded
    found = rows(
        """
        select
            sessions.*,
            campaigns.campaign_id
        from bi.fct_web_sessions_daily as sessions
        inner join bi.dim_campaigns as campaigns using (campaign_key)
        """
    )
    assert {
        (row["date_day"], row["property_id"], row["channel"], row["campaign_id"], row["country_id"]): [
            row["sessions"],
            row["engaged_sessions"],
            row["users"],
            row["key_events"],
        ]
        for row in found
    } == expected
    assert len(expected) > 8_000
    assert {(row["date_day"], row["property_id"]): row["is_thresholded"] for row in found} == held_back
    assert {key[2] for key in expected} >= {"Content Syndication", "Unknown", "Paid Social", "Organic Search"}
    by_day_and_channel: dict[tuple[date, str], int] = defaultdict(int)
    for (day, _, channel, _, _), figures in expected.items():
        by_day_and_channel[day, channel] += figures[0]
    shown = rows(
        "select date_day, channel, sum(sessions)::bigint as sessions from bi.fct_funnel_daily "
        "group by 1, 2 having sum(sessions) > 0"
    )
    assert {(row["date_day"], row["channel"]): row["sessions"] for row in shown} == by_day_and_channel


def test_credit_is_conserved(company: Pipeline) -> None:
    assert (
        rows(
            "select conversion_id, model from bi.fct_attribution "
            "group by conversion_id, conversion_type, model having sum(credit) <> 1"
        )
        == []
    )
    assert rows(
        """
        select model
        from bi.fct_attribution where conversion_type = 'won'
        group by model
        having sum(credited_amount) <> (
            select sum(amount) from bi.fct_opportunities where is_won and opportunity_type <> 'renewal'
        )
        """
    ) == []  # fmt: skip
