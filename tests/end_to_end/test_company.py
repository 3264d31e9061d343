"""Ninety days of a whole made-up company, read at one moment: the published funnel is the company's truth, exactly."""

import csv
import random
import re
import warnings
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import contents
import numpy as np
import psycopg
import pytest
import yaml

from funnel import settings
from funnel.build import metrics
from funnel.build.computations import scorecard
from sandbox import planning, retailing, truth
from sandbox.scenario import Scenario
from sandbox.worlds import build
from tests.end_to_end.office_hours import business_seconds, sla_minutes
from tests.end_to_end.pipeline import Pipeline, published_company, rows
from tests.rounding import half_up

ANCHOR = date(2026, 3, 31)
SEED = 7
DAYS = 90


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return build("company", SEED, ANCHOR)


@pytest.fixture(scope="module")
def company(module_warehouse: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with published_company(SEED, ANCHOR, DAYS, tmp_path_factory.mktemp("inbox")) as (pipeline, _):
        yield pipeline


@pytest.fixture(scope="module")
def now() -> datetime:
    return datetime(ANCHOR.year, ANCHOR.month, ANCHOR.day, tzinfo=UTC)


class Rates:
    """The rates of the seed, read and carried forward here by other means than the warehouse's."""

    def __init__(self) -> None:
        self.quoted: dict[str, list[tuple[date, Decimal]]] = defaultdict(list)
        path = Path(__file__).parents[2] / "dbt_project/seeds/currency_rates.csv"
        with open(path) as file:
            for row in csv.DictReader(file):
                self.quoted[row["currency_code"]].append(
                    (date.fromisoformat(row["rate_date"]), Decimal(row["rate_to_usd"]))
                )
        for series in self.quoted.values():
            series.sort()

    def convert(self, amount: Decimal, currency: str, day: date) -> Decimal:
        if currency == "USD":
            return amount
        series = self.quoted[currency]
        return amount * series[bisect_right(series, (day, Decimal("Infinity"))) - 1][1]


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


def test_funnel_of_every_month(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    rates = Rates()
    expected = {}
    for month, counts in truth.monthly_counts(scenario, now).items():
        expected[month] = counts.counts() | {
            "pipeline_amount": sum(
                (rates.convert(one.amount, one.currency, one.rate_day) for one in counts.pipeline), Decimal()
            ),
            "won_amount": sum(
                (rates.convert(one.amount, one.currency, one.rate_day) for one in counts.won_amounts), Decimal()
            ),
        }
    names = ", ".join(f"sum({name}) as {name}" for name in next(iter(expected.values())))
    found = {
        row.pop("month"): row
        for row in rows(
            f"select date_trunc('month', date_day)::date as month, {names} from bi.fct_funnel_daily "
            "group by 1 having sum(leads + mqls + sals + sqls + opportunities + won + lost) > 0"
        )
    }
    assert sum(month["leads"] for month in expected.values()) > 2000
    assert sum(month["won"] for month in expected.values()) > 30
    assert found == expected
    stages = {
        (row["month_start"], row["stage"]): row["entities"]
        for row in rows(
            "select month_start, stage, sum(entities)::int as entities from bi.fct_funnel_stages group by 1, 2"
        )
    }
    for month, counts in expected.items():
        assert stages[month, "lead"] == counts["leads"]


def test_months_of_the_funnel_are_the_sums_of_its_days(company: Pipeline) -> None:
    measures = (
        *("spend", "impressions", "clicks", "platform_conversions", "platform_conversion_value", "sessions", "leads"),
        *("mqls", "sals", "sqls", "opportunities", "pipeline_amount", "won", "won_amount", "lost", "orders"),
        *("order_amount", "retail_amount"),
    )
    sums = ", ".join(f"sum({name}) as {name}" for name in measures)
    key = "month_start, channel, campaign_key, region"
    monthly = rows(f"select {key}, {', '.join(measures)} from bi.fct_funnel_monthly order by {key}")
    assert len(monthly) > 500
    assert monthly == rows(f"select {key}, {sums} from bi.fct_funnel_daily group by {key} order by {key}")


AGES = (7, 14, 30, 60, 90, 180)


def test_every_cohort(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    expected = truth.cohorts(scenario, now, AGES)
    found = {
        (row["cohort_month"], row["channel"], row["region"], row["stage"], row["age_days"]): row
        for row in rows("select * from bi.fct_funnel_cohorts")
    }
    assert {key: truth.Reach(row["leads"], row["n_observed"], row["reached"]) for key, row in found.items()} == expected
    mature = [row for row in found.values() if row["is_mature"]]
    assert len(mature) > 500
    assert all(row["rate"] == half_up(Decimal(row["reached"]) / row["leads"], 12) for row in mature)
    for (month, *_, age), row in found.items():
        following = (month + timedelta(days=31)).replace(day=1)
        assert row["is_mature"] == (following + timedelta(days=age) <= ANCHOR)
        assert (row["rate"] is None) == (row["n_observed"] == 0 and row["reached"] < row["leads"])


def test_the_bridge_between_both_clocks(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    found = {
        (row["month_start"], row["channel"], row["stage"]): row for row in rows("select * from bi.fct_funnel_bridge")
    }
    expected = truth.bridge(scenario, now)
    assert {
        key: truth.Bridge(
            row["activity_count"],
            row["from_earlier_cohorts"],
            row["in_later_months"],
            row["cohort_count"],
            row["activity_without_lead"],
        )
        for key, row in found.items()
    } == expected
    assert sum(row["cohort_without_lead"] for row in found.values()) == sum(
        cell.without_lead for cell in expected.values()
    )
    for row in found.values():
        assert row["activity_count"] == row["in_cohort_and_month"] + row["from_earlier_cohorts"]
        assert row["cohort_count"] == row["in_cohort_and_month"] + row["in_later_months"]


def test_sales_velocity_of_every_month(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    rates = Rates()
    expected = {}
    for key, cell in truth.selling(scenario, now).items():
        won, closed = len(cell.won), len(cell.won) + cell.lost
        amount = sum((rates.convert(one.amount, one.currency, one.rate_day) for one in cell.won), Decimal())
        velocity: float | None = None
        if closed >= 5 and sum(cell.cycles):
            mean_cycle = Decimal(sum(cell.cycles)) / len(cell.cycles)
            velocity = float(cell.still_open * Decimal(won) / closed * (amount / won) / mean_cycle)
        expected[key] = (
            cell.still_open,
            won,
            cell.lost,
            amount,
            sum(cell.cycles),
            velocity if velocity is None else pytest.approx(velocity, rel=1e-9),
        )
    found = {
        (row["month_start"], row["region"], row["channel"]): (
            row["open_opportunities"], row["won"], row["lost"], row["won_amount"], row["won_cycle_days"],
            None if row["velocity"] is None else float(row["velocity"]),
        )
        for row in rows("select * from bi.rpt_sales_velocity")
    }  # fmt: skip
    assert found == expected
    assert sum(row[-1] is not None for row in found.values()) > 5


def test_survival_equals_lifelines(company: Pipeline) -> None:
    """The model's own statement, as dbt compiled it, over generated leads: estimate and interval to 1e-9."""
    import numpy as np
    from lifelines import KaplanMeierFitter
    from statsmodels.stats.proportion import proportion_confint

    chance = np.random.default_rng(11)
    stages = {"mql": 4.0, "sal": 9.0, "sql": 25.0, "opportunity": 40.0, "won": 90.0}
    size = 5_000
    created = np.datetime64("2025-09-01") + chance.integers(0, 211, size)
    channels, regions = chance.choice(["Direct", "Email"], size), chance.choice(["EMEA", "APAC"], size)
    delays = {
        stage: np.where(chance.random(size) < share, chance.geometric(1 / (mean + 1), size) - 1, -1)
        for (stage, mean), share in zip(stages.items(), (0.8, 0.5, 0.3, 0.2, 0.1), strict=True)
    }
    reached = {stage: np.where(delay >= 0, created + delay, np.datetime64("NaT")) for stage, delay in delays.items()}
    with psycopg.connect(settings.dsn("admin")) as admin:
        admin.execute("set local time zone 'UTC'")
        admin.execute("truncate marts.fct_leads")
        with admin.cursor().copy(
            "copy marts.fct_leads (lead_key, channel, region, created_date, mql_date, sal_date, sql_date, "
            "opportunity_at, won_at) from stdin"
        ) as copy:
            for number in range(size):
                days = [None if np.isnat(day) else str(day) for day in (reached[stage][number] for stage in stages)]
                copy.write_row((str(number), channels[number], regions[number], str(created[number]), *days))
        compiled = settings.read().home / "dbt/target/compiled/funnel/models/marts/fct_funnel_cohorts.sql"
        admin.row_factory = psycopg.rows.dict_row
        found = admin.execute(compiled.read_bytes()).fetchall()
        admin.rollback()
    watched = (np.datetime64(ANCHOR) - 1 - created).astype(int)
    by_cell: dict[tuple[date, str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in found:
        by_cell[row["cohort_month"], row["channel"], row["region"], row["stage"]].append(row)
    assert len(by_cell) == 7 * 2 * 2 * 5
    n_compared = n_young = n_degenerate = 0
    for (month, channel, region, stage), cell in by_cell.items():
        mine = created.astype("datetime64[M]") == np.datetime64(month, "M")
        mine &= (channels == channel) & (regions == region)
        is_seen = (delays[stage][mine] >= 0) & (delays[stage][mine] <= watched[mine])
        durations = np.where(is_seen, delays[stage][mine], watched[mine])
        fitted = KaplanMeierFitter().fit(durations, is_seen)
        bounds = 1 - fitted.confidence_interval_survival_function_
        for row in cell:
            n_observed = int((watched[mine] >= row["age_days"]).sum())
            assert (row["leads"], row["n_observed"]) == (mine.sum(), n_observed)
            assert row["reached"] == (is_seen & (durations <= row["age_days"])).sum()
            if row["rate"] is None:
                assert n_observed == 0
                continue
            rate = 1 - float(fitted.predict(row["age_days"]))
            high, low = bounds.loc[: row["age_days"]].iloc[-1]
            if rate in (0, 1):
                low, high = proportion_confint(round(rate * n_observed), n_observed, method="wilson")
                n_degenerate += 1
            assert [float(row[name]) for name in ("rate", "rate_low", "rate_high")] == pytest.approx(
                [rate, low, high], abs=1e-9
            )
            n_compared += 1
            n_young += not row["is_mature"]
    assert n_compared > 500
    assert n_young >= 100
    assert n_degenerate > 3


def test_what_retailers_sell(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    """Each week evenly over its days, whatever weekday it begins on; campaigns spent in each of them."""
    spending = {
        row.day
        for row in truth.spend(scenario, now, ANCHOR - timedelta(days=DAYS), ANCHOR - timedelta(days=1))
        if row.amount
    }
    sold: dict[tuple[date, str], Decimal] = defaultdict(Decimal)
    advertised: dict[tuple[date, str], Decimal] = defaultdict(Decimal)
    for sale in retailing.sales(ANCHOR):
        week = [sale.week_start + timedelta(days=number) for number in range(7)]
        for day in week:
            part = Decimal(sale.sales_cents) / 700
            sold[day.replace(day=1), sale.region] += part
            if spending & set(week):
                advertised[day.replace(day=1), sale.region] += part
    shown = rows(
        """
        select
            month_start, region, sum(sell_through_amount) as amount, sum(advertised_amount) as advertised,
            sum(regional_campaigns_amount) as regional, sum(own_ecommerce_amount) as own,
            bool_and(has_advertising) as has_advertising
        from bi.rpt_retail_gap
        group by month_start, region
        """
    )
    found = {(row["month_start"], row["region"]): row for row in shown if row["amount"]}
    assert {key: row["amount"] for key, row in found.items()} == sold
    assert {key: row["advertised"] for key, row in found.items()} == advertised
    assert len(sold) == 6
    assert {(row["regional"], row["has_advertising"]) for row in found.values()} == {(0, True)}
    in_funnel = rows(
        "select month_start, region, sum(retail_amount) as amount from bi.fct_funnel_monthly "
        "group by 1, 2 having sum(retail_amount) <> 0"
    )
    assert {(row["month_start"], row["region"]): row["amount"] for row in in_funnel} == sold
    own = rows("select sum(order_amount) as amount from bi.fct_funnel_monthly")[0]["amount"]
    assert sum(row["own"] for row in shown) == own
    for row in rows("select * from bi.rpt_retail_gap"):
        all_sales = row["own_ecommerce_amount"] + row["sell_through_amount"]
        assert row["covered_rate"] == (half_up(row["own_ecommerce_amount"] / all_sales, 12) if all_sales else None)


def test_every_order(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    expected = {
        one.order_id: (
            one.net,
            one.is_counted,
            one.person_id is not None,
            one.opportunity_id,
            one.channel,
            one.campaign_id or "(no campaign)",
            one.region if one.is_revenue else None,
        )
        for one in truth.orders(scenario, now)
    }
    found = {
        row["order_id"]: (
            row["net"],
            row["is_counted"],
            row["has_person"],
            row["opportunity_id"],
            row["channel"],
            row["campaign_id"],
            row["region"],
        )
        for row in rows(
            """
            select
                orders.order_id,
                sum(orders.amount_local) as net,
                bool_and(orders.is_counted) as is_counted,
                bool_and(orders.person_key is not null) as has_person,
                min(opportunities.opportunity_id) as opportunity_id,
                min(orders.channel) as channel,
                min(campaigns.campaign_id) as campaign_id,
                min(orders.region) filter (where orders.is_counted and orders.opportunity_key is null) as region
            from bi.fct_orders as orders
            inner join bi.dim_campaigns as campaigns using (campaign_key)
            left join bi.fct_opportunities as opportunities using (opportunity_key)
            group by orders.order_id
            """
        )
    }
    assert len(expected) > 1_000
    assert sum(one[2] for one in expected.values()) > 200
    assert sum(one[3] is not None for one in expected.values()) > 3
    assert found == expected
    [of_products] = rows(
        """
        select count(product_key) as lines, count(*) filter (where orders.product_key is not null and product is null)
            as unnamed
        from bi.fct_orders as orders left join bi.dim_products as product using (product_key)
        """
    )
    assert of_products["lines"] > 1_000
    assert of_products["unnamed"] == 0


def test_orders_and_their_net_amount_of_every_month(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    rates = Rates()
    count: dict[date, int] = defaultdict(int)
    amount: dict[date, Decimal] = defaultdict(Decimal)
    for order in truth.orders(scenario, now):
        if order.is_revenue:
            day = order.ordered_at.date()
            month = day.replace(day=1)
            count[month] += 1
            amount[month] += rates.convert(order.paid, order.currency, day)
            amount[month] -= sum(
                (rates.convert(back.amount, back.currency, back.rate_day) for back in order.back), Decimal()
            )
    found = rows(
        "select date_trunc('month', date_day)::date as month, sum(orders)::int as orders, "
        "sum(order_amount) as amount from bi.fct_funnel_daily group by 1 having sum(orders) > 0"
    )
    assert {row["month"]: (row["orders"], row["amount"]) for row in found} == {
        month: (count[month], amount[month]) for month in count
    }
    (credited,) = rows(
        "select sum(credited_amount) as amount, count(distinct conversion_id)::int as orders "
        "from bi.fct_attribution where conversion_type = 'order' and model = 'linear'"
    )
    assert credited == {"amount": sum(amount.values()), "orders": sum(count.values())}


def test_channels_and_regions_of_leads(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    expected: dict[tuple[str, str], int] = defaultdict(int)
    for cycle in truth.lead_cycles(scenario, now):
        expected[cycle.channel, cycle.region] += 1
    found = rows("select channel, region, count(*)::int as leads from bi.fct_leads group by 1, 2")
    assert {(row["channel"], row["region"]): row["leads"] for row in found} == dict(expected)


def test_the_first_response_of_every_lead(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    expected = Counter((one.created_at, one.sal_at, one.first_response_at) for one in truth.lead_cycles(scenario, now))
    found = Counter(
        (row["created_at"], row["sal_at"], row["first_response_at"]) for row in rows("select * from bi.fct_leads")
    )
    assert sum(count for (_, taken_up, answered), count in expected.items() if answered != taken_up) > 100
    assert found == expected


def test_every_stage_event(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    expected = truth.stage_events(scenario, now)
    leads = Counter(
        (one.from_stage, one.to_stage, one.entered_at, one.exited_at, one.is_inferred, one.holder_team)
        for one in expected
        if " " in one.subject
    )
    columns = "from_stage, to_stage, entered_at, exited_at, is_inferred, holder_team, reason"
    found = rows(
        f"select {columns}, opportunity_id "
        "from bi.fct_stage_events left join bi.fct_opportunities using (opportunity_key)"
    )
    assert sum(leads.values()) > 5_000
    assert leads == Counter(tuple(row.values())[:6] for row in found if row["opportunity_id"] is None)
    assert sum(one.is_inferred for one in expected) > 10
    deals = Counter(
        (one.subject, one.from_stage, one.to_stage, one.entered_at, one.exited_at, one.holder_team, one.reason)
        for one in expected
        if " " not in one.subject
    )
    assert len(deals) > 900
    assert sum(one.reason is not None for one in expected) > 2
    assert deals == Counter(
        (row["opportunity_id"], *(row[name] for name in columns.split(", ") if name != "is_inferred"))
        for row in found
        if row["opportunity_id"] is not None
    )


def test_who_held_every_lead(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    expected = Counter(
        (
            one.held_from,
            one.held_to,
            one.region,
            one.holder_team,
            one.outcome,
            one.bounce_no,
            int(business_seconds(one.region, one.held_from, one.held_to) // 60) if one.held_to else None,
        )
        for one in truth.holdings(scenario, now)
    )
    found = rows(
        "select held_from, held_to, region, holder_team, outcome, bounce_no, business_minutes from bi.rpt_handoff"
    )
    assert Counter(tuple(row.values()) for row in found) == expected
    outcomes = Counter(key[4] for key in expected.elements())
    assert min(outcomes[one] for one in ("rejected", "recycled", "reassigned", "accepted", "opportunity")) > 20
    assert sum(key[5] > 0 for key in expected) > 100
    breaches = rows("select count(*) filter (where is_sla_breached) as n from bi.rpt_handoff")
    assert breaches == rows("select count(*) filter (where is_sla_breached) as n from bi.fct_leads")


def test_what_marketing_brought_and_met(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    """M1: sourced and influenced of every won deal, and the shares of the quarter from them."""
    origins = truth.origins(scenario, now)
    found = rows(
        "select opportunity_id, is_sourced, is_influenced from intermediate.int_won_origins as origin "
        "inner join marts.fct_opportunities using (opportunity_key)",
        "builder",
    )
    assert {row["opportunity_id"]: (row["is_sourced"], row["is_influenced"]) for row in found} == {
        one.opportunity.opportunity_id: (one.is_sourced, one.is_influenced) for one in origins
    }
    assert len({(one.is_sourced, one.is_influenced) for one in origins}) == 3
    rates = Rates()
    revenue = [
        (one, rates.convert(one.opportunity.amount, one.opportunity.currency, one.opportunity.closed_at.date()))
        for one in origins
        if one.opportunity.closed_at is not None
    ]
    total = sum((amount for _, amount in revenue), Decimal())
    parts = {row["part"]: row for row in quarter("rpt_alignment_parts", "marketing_revenue_share")}
    for part, name in (("sourced_share", "is_sourced"), ("influenced_share", "is_influenced")):
        share = sum((amount for one, amount in revenue if getattr(one, name)), Decimal()) / total
        assert float(parts[part]["value"]) == pytest.approx(float(share), abs=1e-11)
        assert parts[part]["n"] == len(origins)
        assert parts[part]["value_low"] < parts[part]["value"] < parts[part]["value_high"]
    assert 0 < parts["attributed_share"]["value"] < 1
    assert parts["sourced_share"]["value"] < parts["influenced_share"]["value"]


def quarter(mart: str, measure: str) -> list[dict[str, Any]]:
    """The company's rows of one measure and the quarter that was read."""
    order = "part_no" if mart == "rpt_alignment_parts" else "measure"
    return rows(
        f"select * from bi.{mart} where measure = '{measure}' and region = '(all)' "
        f"and period_grain = 'quarter' and period_start = '2026-01-01' order by {order}"
    )


def test_close_rates_of_young_cohorts(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    """M2 of the quarter, from the truth's cycles by lifelines, whose ties are moved apart at random."""
    from lifelines import AalenJohansenFitter

    sides: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
    for one in truth.lead_cycles(scenario, now):
        losses = [at for at in (one.lost_at, one.disqualified_at, one.recycled_at) if at is not None]
        ended = one.won_at or min(losses, default=None)
        outcome = 0 if ended is None else 1 if one.won_at is not None else 2
        days = ((ended or now) - one.created_at) // timedelta(days=1)
        sides[one.channel not in truth.NOT_MARKETING].append((days, outcome))
    parts = {row["part"]: row["value"] for row in quarter("rpt_alignment_parts", "close_rate_lift")}
    for part, side in (("marketing_close_rate", True), ("other_close_rate", False)):
        durations, outcomes = zip(*sides[side], strict=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = AalenJohansenFitter(seed=1, calculate_variance=False).fit(durations, outcomes, event_of_interest=1)
        assert float(parts[part]) == pytest.approx(float(fitted.cumulative_density_.iloc[-1, 0]), rel=0.03)
    [lift] = quarter("rpt_alignment_scorecard", "close_rate_lift")
    ratio = parts["marketing_close_rate"] / parts["other_close_rate"]
    assert float(lift["value"]) == pytest.approx(float(ratio) - 1, abs=1e-9)
    assert lift["value_low"] < lift["value"] < lift["value_high"]
    assert (lift["quoted_value"], lift["baseline_value"]) == (Decimal("0.67"), None)
    assert "young" in lift["reason"]


def test_friction_of_the_quarter(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    """M3 from the truth's own cycles; the index from its parts as Python computes it."""
    above, below = [0.0] * 4, [0.0] * 4
    for one in truth.lead_cycles(scenario, now):
        if one.mql_at is None:
            continue
        stops = one.first_response_at or one.ended_at
        seconds, promised = business_seconds(one.region, one.mql_at, stops or now), sla_minutes(one.region, "sales")
        assert promised is not None
        accepted = one.sal_at or one.sql_at or one.opportunity_at
        back = bool(one.recycled_at or (one.disqualified_at and not accepted))
        if stops is not None or seconds > promised * 60:
            above[0] += seconds > promised * 60
            below[0] += 1
        if back or accepted or one.ended_at:
            above[1] += back
            below[1] += 1
        above[2] += len(one.owners)
        below[2] += 1
        if one.ended_at is not None:
            answered = min(one.first_response_at or one.ended_at, one.ended_at)
            above[3] += max(0.0, (answered - one.mql_at).total_seconds())
            below[3] += (one.ended_at - one.created_at).total_seconds()
    parts = quarter("rpt_alignment_parts", "friction_index")
    assert [float(row["value"]) for row in parts[:4]] == pytest.approx(
        [up / down for up, down in zip(above, below, strict=True)], abs=1e-6
    )
    [index] = quarter("rpt_alignment_scorecard", "friction_index")
    values, baselines, weights = (
        np.array([float(row[name]) for row in parts]) for name in ("value", "baseline_value", "weight")
    )
    expected = scorecard.friction_index(values, baselines, weights, np.full(5, 0.01))
    assert float(index["value"]) == pytest.approx(expected, abs=1e-6)
    assert float(index["change_on_baseline"]) == pytest.approx(scorecard.less_friction(expected) / 100, abs=1e-6)
    assert (index["is_sufficient"], index["quoted_value"]) == (True, Decimal("1.08"))


def test_records_that_are_one_person_and_those_that_are_not(
    company: Pipeline, scenario: Scenario, now: datetime
) -> None:
    """Precision and recall over pairs of records: both 1 on merges, doubles and capitals of addresses."""
    persons: dict[tuple[str, str], str] = {
        (source, record_id): person_id
        for person_id, records in truth.records_of_people(scenario, now).items()
        for source, record_id in records
    }
    found = {
        (row["source_system"], row["record_id"]): row["person_key"]
        for row in rows("select source_system, record_id, person_key from bi.rpt_identity")
    }
    assert set(persons) <= set(found)

    def pairs(owners: dict[tuple[str, str], str]) -> set[tuple[tuple[str, str], tuple[str, str]]]:
        groups = defaultdict(list)
        for record in sorted(persons):
            groups[owners[record]].append(record)
        return {pair for group in groups.values() for pair in combinations(group, 2)}

    true, matched = pairs(persons), pairs(found)
    assert len(true) > 500
    precision, recall = len(true & matched) / len(matched), len(true & matched) / len(true)
    assert (precision, recall) == (1.0, 1.0)
    reasons = {row["match_reason"] for row in rows("select match_reason from bi.rpt_identity")}
    assert {word for reason in reasons for word in reason.split(", ")} >= {
        "e-mail", "vendor link", "conversion", "merge", "only record",
    }  # fmt: skip


def test_persons_do_not_depend_on_the_order_of_arrival(company: Pipeline) -> None:
    """The model's own statement over the same records in other orders, with load ids that come in those orders."""
    [path] = settings.read().home.glob("dbt/target/compiled/**/int_person_records.sql")
    statement = path.read_text()
    unioned = re.search(r'("\w+"\.)?"intermediate"\."int_person_records_unioned"', statement)
    assert unioned is not None
    stored = rows(
        "select record_id, person_key, match_reason from intermediate.int_person_records order by 1", "builder"
    )
    with psycopg.connect(settings.dsn("builder")) as connection:
        for seed in ("0.1", "0.7"):
            connection.execute(f"select setseed({seed})")
            connection.execute("drop table if exists pg_temp.shuffled")
            connection.execute(
                "create temporary table shuffled as "
                "select * from intermediate.int_person_records_unioned order by random()"
            )
            shuffled = statement.replace(unioned.group(), "pg_temp.shuffled")
            found = connection.execute(
                f"select record_id, person_key, match_reason from ({shuffled}) as model order by 1".encode()
            ).fetchall()
            assert [tuple(row.values()) for row in stored] == found


def test_every_change_of_owner(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    expected = {
        (cycle.created_at, at, rep_id) for cycle in truth.lead_cycles(scenario, now) for at, rep_id in cycle.owners
    }
    found = rows(
        """
        select lead.created_at, move.moved_at, rep.record_id
        from intermediate.int_lead_moves as move
        inner join marts.fct_leads as lead using (lead_key)
        inner join intermediate.int_sales_rep_records as rep
            on rep.rep_key = move.rep_key and rep.source_system = 'salesforce'
        where move.move_kind = 'owner'
        """,
        "builder",
    )
    assert len(expected) > 50
    assert {tuple(row.values()) for row in found} == expected
    assert len(found) == len(expected)


def test_people_and_their_merged_records(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    expected: dict[int, int] = defaultdict(int)
    for human in truth.people(scenario, now):
        expected[human.records_merged] += 1
    found = rows("select n_records_merged, count(*)::int as people from bi.dim_people group by 1")
    assert {row["n_records_merged"]: row["people"] for row in found} == dict(expected)


def test_every_opportunity(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    expected = {
        one.opportunity_id: (
            one.status,
            one.opportunity_type,
            one.created_at,
            one.closed_at,
            one.amount,
            one.currency,
            one.channel,
        )
        for one in truth.opportunities(scenario, now)
    }
    found = {
        row["opportunity_id"]: (
            "won" if row["is_won"] else "lost" if row["is_lost"] else "open",
            row["opportunity_type"], row["created_at"], row["closed_at"], row["amount_local"], row["currency_code"],
            row["channel"],
        )
        for row in rows("select * from bi.fct_opportunities")
    }  # fmt: skip
    assert found == expected


def test_the_pipeline_of_every_day(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    """No build was published for the days before: they come from history, changes of amounts and late closes too."""
    rates = Rates()
    expected = {
        key: (money.amount, money.currency, rates.convert(money.amount, money.currency, money.rate_day))
        for key, money in truth.pipeline(scenario, now).items()
    }
    found = {
        (row["date_day"], row["opportunity_id"]): (row["amount_local"], row["currency_code"], row["amount"])
        for row in rows(
            "select daily.*, opportunity_id from bi.fct_opportunities_daily as daily "
            "inner join bi.fct_opportunities using (opportunity_key)"
        )
    }
    assert len({day for day, _ in expected}) > 80
    assert len(expected) > 1_000
    assert found == expected
    assert rows("select distinct date_day from bi.fct_opportunities_daily where not is_reconstructed") == [
        {"date_day": ANCHOR - timedelta(days=1)}
    ]
    assert rows(
        "select count(*)::int as n from bi.fct_opportunities_daily "
        "where weighted_amount > amount or weighted_amount is null or expected_close_date is null and stage is null"
    ) == [{"n": 0}]


def test_coverage_of_every_quarter_and_region(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    rates = Rates()

    def worth(of: list[truth.Money]) -> Decimal:
        return sum((rates.convert(one.amount, one.currency, one.rate_day) for one in of), Decimal())

    last = ANCHOR - timedelta(days=1)
    quotas: dict[tuple[date, str], Decimal] = defaultdict(Decimal)
    for one in planning.targets(ANCHOR):
        if one.metric == "won_amount":
            day = min(one.period_start, last)
            quotas[one.period_start, one.region] += rates.convert(Decimal(one.target), one.currency_code, day)
    expected = {
        key: (worth(quarter.open), worth(quarter.won), quotas.get(key))
        for key, quarter in truth.quarters(scenario, now).items()
    }
    found = {
        (row["period_start"], row["region"]): row
        for row in rows(f"select * from bi.rpt_pipeline_coverage where date_day = '{last}'")
    }
    for start in {start for start, _ in expected}:
        total = [sum((one[place] or Decimal() for key, one in expected.items() if key[0] == start), Decimal())
                 for place in range(3)]  # fmt: skip
        expected[start, "(all)"] = (total[0], total[1], total[2])
    assert len(expected) == 10
    assert {key: (row["open_amount"], row["booked_amount"], row["target"]) for key, row in found.items()} == expected
    for key, (is_open, booked, target) in expected.items():
        if target is not None and target > booked:
            assert found[key]["coverage"] == half_up(is_open / (target - booked), 12)
    new_business = [one for one in truth.opportunities(scenario, now) if one.opportunity_type == "new_business"]
    closed = [one for one in new_business if one.closed_at is not None and one.region == "EMEA"]
    won = sum(one.status == "won" for one in closed)
    for start in {start for start, _ in expected}:
        assert found[start, "EMEA"]["required_coverage"] == half_up(Decimal(len(closed)) / won, 12)
    assert {row["required_coverage"] for key, row in found.items() if key[1] == "APAC"} == {None}, "20 are too few"
    assert sum(row["coverage"] is not None for row in found.values()) >= 4


def test_targets_and_what_they_ask_of_the_stage_before(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    found = {
        (row["period_start"], row["team"], row["metric"], row["region"]): row
        for row in rows("select * from bi.fct_targets")
    }
    plan = planning.targets(ANCHOR)
    assert len(found) == len(plan) > 30
    rates = Rates()
    for one in plan:
        row = found[one.period_start, one.team, one.metric, one.region]
        day = min(one.period_start, ANCHOR - timedelta(days=1))
        assert row["target"] == rates.convert(Decimal(one.target), one.currency_code or "USD", day)
    months = truth.monthly_counts(scenario, now)
    quarter = planning.quarter_of(ANCHOR)
    # Whom marketing's channels brought, and everything that was won.
    assert found[quarter, "(all)", "won", "(all)"]["actual"] == sum(month.won for month in months.values())
    by_channel = Counter(
        (cycle.mql_at.date().replace(day=1), cycle.region)
        for cycle in truth.lead_cycles(scenario, now)
        if cycle.mql_at is not None and cycle.channel not in ("Outbound", "Partner", "Unknown")
    )
    for start in (planning.next_months(quarter, number) for number in range(3)):
        assert found[start, "marketing", "mqls", "EMEA"]["actual"] == by_channel[start, "EMEA"]
    # What April asks for, by what was measured until the end of March.
    rate = {
        stage: (Decimal(reached) / entered, entered, days)
        for stage, (entered, reached, days) in truth.conversions(scenario, now, 60).items()
    }
    coming = planning.next_months(quarter, 3)
    for team, metric, stage in (
        ("(all)", "won", "opportunity"),
        ("marketing", "sals", "mql"),
        ("sales", "sqls", "sal"),
    ):
        row = found[coming, team, metric, "(all)"]
        share, entered, days = rate[stage]
        assert (row["upstream_yield"], row["upstream_entered"]) == (half_up(share, 12), entered)
        assert row["required_from_upstream"] == half_up(row["target"] / share, 6)
        assert row["upstream_from"] == coming - timedelta(days)
    won = found[coming, "(all)", "won", "(all)"]
    chain = [rate[stage] for stage in ("mql", "sal", "sql", "opportunity")]
    assert won["mqls_from"] == coming - timedelta(sum(days for *_, days in chain))
    asked = won["target"]
    for share, *_ in chain:
        asked /= share
    assert abs(won["required_mqls"] - asked) < Decimal("0.00001")
    # What was planned before anything was measured asks for nothing, and says why.
    assert found[quarter, "(all)", "won", "(all)"]["required_from_upstream"] is None
    assert "fewer than 30" in found[quarter, "(all)", "won", "(all)"]["upstream_reason"]


def test_commissions_by_the_steps_of_the_plan(company: Pipeline) -> None:
    """Deal by deal in the order in which they were won, as an accountant would pay them."""
    rates = Rates()
    last = ANCHOR - timedelta(days=1)
    quotas = {
        (one.period_start, one.team, one.region): rates.convert(
            Decimal(one.target), one.currency_code, min(one.period_start, last)
        )
        for one in planning.targets(ANCHOR)
        if one.metric == "won_amount"
    }
    plans: dict[str, list[tuple[Decimal, Decimal]]] = defaultdict(list)
    for step in planning.steps(ANCHOR):
        plans[step.team].append((step.step_from, step.commission_rate))
    sold: dict[tuple[date, str, str], Decimal] = defaultdict(Decimal)
    paid: dict[str, Decimal | None] = {}
    deals = rows(
        "select opportunity_key, deals.amount, closed_date, team, reps.region from bi.fct_opportunities as deals "
        "inner join bi.dim_sales_reps as reps using (rep_key) "
        "where is_won and opportunity_type <> 'renewal' order by closed_at, opportunity_key"
    )
    for deal in deals:
        place = (planning.quarter_of(deal["closed_date"]), deal["team"], deal["region"])
        before, quota = sold[place], quotas.get(place)
        sold[place] = after = before + deal["amount"]
        steps = plans.get(deal["team"]) or plans["(all)"]
        if quota is None and len(steps) > 1:
            paid[deal["opportunity_key"]] = None
            continue
        starts = [start * (quota or 0) for start, _ in steps] + [Decimal("Infinity")]
        paid[deal["opportunity_key"]] = sum(
            (
                rate * max(Decimal(), min(after, starts[number + 1]) - max(before, starts[number]))
                for number, (_, rate) in enumerate(steps)
            ),
            Decimal(),
        )
    found = {
        row["opportunity_key"]: row
        for row in rows(
            "select opportunity_key, commission_amount, commission_step_before, commission_step_after "
            "from bi.rpt_price_leakage where opportunity_type <> 'renewal'"
        )
    }
    assert {key: row["commission_amount"] for key, row in found.items()} == {
        key: None if amount is None else half_up(amount, 12) for key, amount in paid.items()
    }
    assert sum(amount is not None for amount in paid.values()) > 60
    assert any(row["commission_step_after"] > (row["commission_step_before"] or 0) for row in found.values()
               if row["commission_step_after"] is not None)  # fmt: skip
    assert rows("select sum(commission_amount) as paid from bi.fct_opportunities") == [
        {"paid": sum(row["commission_amount"] or Decimal() for row in found.values())}
    ]


def test_leakage_is_what_goes_beyond_what_peers_give(company: Pipeline) -> None:
    """Each won deal beside all that others won before it, looked up one by one."""
    won = rows("select * from bi.fct_opportunities where is_won")
    found = {row["opportunity_key"]: row for row in rows("select * from bi.rpt_price_leakage")}
    assert set(found) == {deal["opportunity_key"] for deal in won}
    alike = (
        lambda deal: (deal["opportunity_type"], deal["region"], len(str(int(deal["list_amount"])))),
        lambda deal: (deal["opportunity_type"], len(str(int(deal["list_amount"])))),
        lambda deal: deal["opportunity_type"],
    )
    priced = [deal for deal in won if deal["list_amount"] and 0 <= deal["discount_rate"] <= 1]
    leaked = Decimal()
    for deal in (one for one in won if one["list_amount"]):
        others = [
            one
            for one in priced
            if one["rep_key"] != deal["rep_key"]
            and timedelta(0) < deal["closed_date"] - one["closed_date"] <= timedelta(365)
        ]
        levels = ([one["discount_rate"] for one in others if key(one) == key(deal)] for key in alike)
        peers = next((level for level in levels if len(level) >= 10), None)
        row = found[deal["opportunity_key"]]
        if peers is None:
            assert (row["leakage_amount"], row["reason"]) == (None, "fewer than 10 peers")
            continue
        expected = sum(peers, Decimal()) / len(peers)
        assert row["n_peers"] == len(peers)
        assert abs(row["expected_discount_rate"] - expected) < Decimal("1e-11")
        amount = max(Decimal(), deal["discount_rate"] - expected) * deal["list_amount"]
        assert abs(row["leakage_amount"] - amount) < Decimal("1e-6")
        leaked += amount
    assert leaked > 10_000


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


def test_business_time_is_counted_on_the_clocks_of_the_region(company: Pipeline) -> None:
    """Five hundred pairs of moments per region, over changes of the clock, holidays and weekends."""
    chance = random.Random(4)
    begins = datetime(2024, 1, 1, tzinfo=UTC)
    pairs = []
    for region in ("EMEA", "Americas", "APAC", "(default)"):
        for _ in range(500):
            since = begins + timedelta(seconds=chance.randrange(3 * 365 * 86_400))
            pairs.append((region, since, since + timedelta(seconds=chance.randrange(40 * 86_400))))
    asked = ", ".join(f"({no}, '{region}', '{since}', '{until}')" for no, (region, since, until) in enumerate(pairs))
    found = rows(
        f"""
        select asked.no, asked.until - asked.since > interval '0',
            last_days.seconds_before
            + greatest(least(extract(epoch from until - last_days.opens_at), last_days.seconds_open), 0)
            - first_days.seconds_before
            - greatest(least(extract(epoch from since - first_days.opens_at), first_days.seconds_open), 0) as seconds
        from (select no, region, since::timestamptz, until::timestamptz from (values {asked})
            as given (no, region, since, until)) as asked
        inner join intermediate.int_business_days as first_days
            on first_days.region = asked.region
            and first_days.date_day = (asked.since at time zone first_days.time_zone)::date
        inner join intermediate.int_business_days as last_days
            on last_days.region = asked.region
            and last_days.date_day = (asked.until at time zone last_days.time_zone)::date
        """,
        "builder",
    )
    assert {row["no"]: float(row["seconds"]) for row in found} == {
        no: business_seconds(region, since, until) for no, (region, since, until) in enumerate(pairs)
    }


def test_response_and_service_level_of_every_lead(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    expected = Counter()
    for one in truth.lead_cycles(scenario, now):
        minutes, is_breached, is_pending = None, None, False
        if one.mql_at is not None:
            stops = one.first_response_at or one.ended_at
            seconds = business_seconds(one.region, one.mql_at, stops or now)
            promised = sla_minutes(one.region, "sales")
            assert promised is not None
            if one.first_response_at is not None:
                minutes = int(seconds // 60)
            is_pending = stops is None and seconds <= promised * 60
            is_breached = None if is_pending else seconds > promised * 60
        expected[one.created_at, one.mql_at, minutes, is_breached, is_pending] += 1
    found = Counter(
        (
            row["created_at"],
            row["mql_at"],
            row["response_business_minutes"],
            row["is_sla_breached"],
            row["is_sla_pending"],
        )
        for row in rows("select * from bi.fct_leads")
    )
    assert sum(count for (*_, is_breached, _), count in expected.items() if is_breached) > 100
    assert sum(count for (*_, is_pending), count in expected.items() if is_pending) > 3
    assert found == expected


PERSONAL = r"[[:alnum:]._%+-]+@[[:alnum:].-]+\.[[:alpha:]]{2,}"


def test_no_person_is_named_in_bi_or_ops(company: Pipeline, scenario: Scenario) -> None:
    """Every text of every table: no address, and no name or phone number that a vendor holds of a person."""
    columns = rows(
        """
        select table_schema, table_name, column_name
        from information_schema.columns
        where table_schema in ('bi', 'ops') and data_type in ('text', 'character varying', 'jsonb', 'ARRAY')
        """
    )
    assert len(columns) > 100
    for column in columns:
        table = f'{column["table_schema"]}."{column["table_name"]}"'
        ((found),) = rows(f"select count(*) as n from {table} where \"{column['column_name']}\"::text ~ '{PERSONAL}'")
        assert found["n"] == 0, column
    names = process_names(company)
    assert len(names) > 1000
    texts = {
        text
        for column in columns
        for row in rows(
            f'select distinct "{column["column_name"]}"::text as t '
            f'from {column["table_schema"]}."{column["table_name"]}"'
        )
        if (text := row["t"])
    }
    # A few persons share their name with a sales rep, whose names BI may show.
    reps = {row["rep_name"] for row in rows("select rep_name from bi.dim_sales_reps")}
    assert (names - reps) & texts == set()


def process_names(company: Pipeline) -> set[str]:
    """Names and phone numbers of persons as HubSpot and Salesforce hold them, asked as no connector asks."""
    import httpx

    connection = company.connection("hubspot")
    headers = {"Authorization": f"Bearer {connection.password}"}
    found: set[str] = set()
    after: str | None = "0"
    while after:
        page = httpx.get(
            f"{connection.base_url}/crm/v3/objects/contacts",
            params={"limit": 100, "after": after, "properties": "firstname,lastname,phone"},
            headers=headers,
        ).json()
        for record in page["results"]:
            given, family = record["properties"].get("firstname"), record["properties"].get("lastname")
            found |= {f"{given} {family}"} | {record["properties"].get("phone")}
        after = page.get("paging", {}).get("next", {}).get("after")
    return {text for text in found if text and text != "None None"}


def test_metrics_say_what_the_marts_say(company: Pipeline) -> None:
    """MetricFlow's statements, run as readers run them, against the columns of the marts themselves."""
    asked = metrics.Metrics()
    assert asked.validate(with_warehouse=True).answered == len(asked.names()) > 50
    measures = (
        *("spend", "impressions", "clicks", "platform_conversions", "sessions", "leads", "mqls", "sals", "sqls"),
        *("opportunities", "pipeline_amount", "won", "won_amount", "lost", "orders", "order_amount", "retail_amount"),
    )
    by_channel = asked.ask([*measures, "revenue", "overclaim_ratio"], ["metric_time__month", "funnel_cell__channel"])
    assert {
        (row["metric_time__month"].date(), row["funnel_cell__channel"]): [row[name] for name in measures]
        for row in by_channel
    } == {
        (row["month_start"], row["channel"]): [row[name] for name in measures]
        for row in rows(
            f"select month_start, channel, {', '.join(f'sum({name}) as {name}' for name in measures)} "
            "from bi.fct_funnel_monthly group by 1, 2"
        )
    }
    assert all(row["revenue"] == (row["won_amount"] or 0) + (row["order_amount"] or 0) for row in by_channel)
    assert any(row["overclaim_ratio"] for row in by_channel)

    cell = ["metric_time__month", "selling_cell__region", "selling_cell__channel"]
    figures = ("open_opportunities", "win_rate", "average_won_amount", "cycle_days", "velocity")
    of_selling = {tuple(row[name] for name in cell): row for row in asked.ask(figures, cell)}
    shown = rows("select * from bi.rpt_sales_velocity")
    assert len(of_selling) == len(shown) > 50
    for row in shown:
        month = datetime.combine(row["month_start"], time(), UTC)
        found = of_selling[month, row["region"], row["channel"]]
        for name in figures:
            if name != "velocity" or row["velocity"] is not None:
                assert found[name] == (None if row[name] is None else pytest.approx(float(row[name]), rel=1e-9)), name

    returns = asked.ask(["attributed_revenue", "attributed_spend", "roas"], ["return_cell__channel"])
    assert {row["return_cell__channel"]: (row["attributed_revenue"], row["attributed_spend"]) for row in returns} == {
        row["channel"]: (row["revenue"], row["spend"])
        for row in rows(
            "select channel, sum(revenue) as revenue, sum(spend) as spend from bi.rpt_channel_return "
            "where model = 'linear' group by 1"
        )
    }
    [planned] = asked.ask(
        ["attainment", "coverage", "open_pipeline", "weighted_pipeline", "still_to_win", "covered_rate"]
    )
    [of_targets] = rows(
        "select sum(actual) / sum(target) as rate from bi.fct_targets "
        "where metric = 'won_amount' and period_grain = 'quarter' and actual is not null"
    )
    assert planned["attainment"] == pytest.approx(float(of_targets["rate"]))
    [of_coverage] = rows(
        "select open_amount, weighted_amount, nullif(greatest(target - booked_amount, 0), 0) as missing, coverage "
        f"from bi.rpt_pipeline_coverage where region = '(all)' and date_day = '{ANCHOR - timedelta(days=1)}' "
        "and period_start <= date_day"
    )
    assert [planned[name] for name in ("open_pipeline", "weighted_pipeline", "still_to_win")] == [
        of_coverage[name] for name in ("open_amount", "weighted_amount", "missing")
    ]
    assert planned["coverage"] == (
        None if of_coverage["coverage"] is None else pytest.approx(float(of_coverage["coverage"]))
    )
    [given] = asked.ask(["discount_rate", "leakage_rate", "leakage"])
    [of_leakage] = rows(
        "select sum(discount_amount) / sum(list_amount) as discount_rate, sum(leakage_amount) as leakage, "
        "sum(leakage_amount) / sum(list_amount) filter (where leakage_amount is not null) as leakage_rate "
        "from bi.rpt_price_leakage"
    )
    assert given["leakage"] == of_leakage["leakage"]
    assert given["discount_rate"] == pytest.approx(float(of_leakage["discount_rate"]))
    assert given["leakage_rate"] == pytest.approx(float(of_leakage["leakage_rate"]))
    [of_gap] = rows(
        "select sum(own_ecommerce_amount) / sum(own_ecommerce_amount + sell_through_amount) as rate "
        "from bi.rpt_retail_gap"
    )
    assert planned["covered_rate"] == pytest.approx(float(of_gap["rate"]))
    [mature] = rows(
        "select sum(reached) / sum(leads) as rate from bi.fct_funnel_cohorts "
        "where is_mature and stage = 'mql' and age_days = 30"
    )
    [told] = asked.ask(["cohort_mql_rate", "lead_response_minutes", "sla_breach_rate"])
    assert told["cohort_mql_rate"] == pytest.approx(float(mature["rate"]))
    [responses] = rows(
        "select avg(response_business_minutes) as minutes, avg(is_sla_breached::integer) as rate from bi.fct_leads "
        "where mql_at is not null"
    )
    assert told["lead_response_minutes"] == pytest.approx(float(responses["minutes"]))
    assert told["sla_breach_rate"] == pytest.approx(float(responses["rate"]))
    [held] = asked.ask(["handoff_count", "handoff_hold_minutes", "handoff_bounce_rate"])
    [shown_of_holders] = rows(
        "select count(*) as n, avg(business_minutes) as minutes, avg((bounce_no > 0)::integer) as bounced "
        "from bi.rpt_handoff"
    )
    assert held["handoff_count"] == shown_of_holders["n"] > 1_000
    assert held["handoff_hold_minutes"] == pytest.approx(float(shown_of_holders["minutes"]))
    assert held["handoff_bounce_rate"] == pytest.approx(float(shown_of_holders["bounced"]))
    # Salaries, tools and agencies make a customer dearer than media alone.
    [cost] = asked.ask(["cac", "media_cac"])
    assert cost["cac"] > cost["media_cac"] > 0


GUIDE_QUESTIONS = set(range(1, 11))
GUIDE = Path(__file__).parents[2] / "docs/analyst_guide.md"


def guide() -> dict[int, str]:
    """The number of every question of the guide and the statement that answers it."""
    parts = re.split(r"^## (\d+)\. ", GUIDE.read_text(), flags=re.M)[1:]
    found = {
        int(number): re.findall(r"```sql\n(.*?)```", text, re.S)
        for number, text in zip(parts[::2], parts[1::2], strict=True)
    }
    assert all(len(blocks) == 1 for blocks in found.values()), "a question has one answer"
    return {number: blocks[0] for number, blocks in found.items()}


def test_the_guide_answers_with_the_truth(company: Pipeline, scenario: Scenario, now: datetime) -> None:
    answers = {number: rows(statement) for number, statement in guide().items()}
    assert set(answers) == GUIDE_QUESTIONS
    assert all(answers.values())
    rates = Rates()

    # 1: reach beside revenue, per month.
    counts = truth.monthly_counts(scenario, now)
    reach: dict[date, int] = defaultdict(int)
    for row in truth.spend(scenario, now, ANCHOR - timedelta(days=DAYS), ANCHOR - timedelta(days=1)):
        reach[row.day.replace(day=1)] += row.impressions
    for row in answers[1]:
        month = counts.get(row["month_start"], truth.MonthCounts())
        amount = sum((rates.convert(one.amount, one.currency, one.rate_day) for one in month.won_amounts), Decimal())
        assert (row["impressions"], row["leads"], row["mqls"], row["won"], row["won_amount"]) == (
            reach[row["month_start"]], month.leads, month.mqls, month.won, amount,
        )  # fmt: skip

    # 2: lengths of journeys, per channel.
    cycles = truth.lead_cycles(scenario, now)
    lengths: dict[str, list[int]] = defaultdict(list)
    for cycle in cycles:
        if cycle.won_at:
            lengths[cycle.channel].append((cycle.won_at.date() - cycle.created_at.date()).days)
    assert {row["channel"]: (row["won"], row["median_days"]) for row in answers[2]} == {
        channel: (len(days), sorted(days)[(len(days) + 1) // 2 - 1]) for channel, days in lengths.items()
    }

    # 3: every won deal, renewals too; what leaks at a step or a deadline is a part of what leaks.
    won_by_region = Counter(one.region for one in truth.opportunities(scenario, now) if one.status == "won")
    assert {row["region"]: row["won"] for row in answers[3]} == won_by_region
    for row in answers[3]:
        assert 0 <= (row["leakage_amount"] or 0) <= row["list_amount"]
        assert max(row["leakage_at_quarter_end"] or 0, row["leakage_at_a_step"] or 0) <= (row["leakage_amount"] or 0)
    assert sum(row["leakage_amount"] or 0 for row in answers[3]) > 10_000

    # 4: what retailers report, beside the own shop.
    retail = sum((Decimal(sale.sales_cents) / 100 for sale in retailing.sales(ANCHOR)), Decimal())
    assert sum(row["sell_through_amount"] for row in answers[4]) == retail
    own = sum(
        rates.convert(order.paid, order.currency, order.ordered_at.date())
        - sum(rates.convert(back.amount, back.currency, back.rate_day) for back in order.back)
        for order in truth.orders(scenario, now)
        if order.is_revenue
    )
    assert sum(row["own_ecommerce_amount"] for row in answers[4]) == own
    assert all(0 < row["covered_rate"] <= 1 for row in answers[4] if row["covered_rate"])

    # 5: both clocks, per month and stage.
    both: dict[tuple[date, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for (month_start, _, stage), cell in truth.bridge(scenario, now).items():
        figures = (cell.activity, cell.from_earlier, cell.in_later, cell.cohort)
        both[month_start, stage] = [one + other for one, other in zip(both[month_start, stage], figures, strict=True)]
    assert {
        (row["month_start"], row["stage"]): [
            row["activity_count"], row["from_earlier_cohorts"], row["in_later_months"], row["cohort_count"],
        ]
        for row in answers[5]
    } == both  # fmt: skip

    # 6: whatever the model, what is given away is what was earned.
    revenue = own + sum(
        rates.convert(one.amount, one.currency, one.rate_day) for month in counts.values() for one in month.won_amounts
    )
    assert sum(row["revenue_low"] for row in answers[6]) <= revenue <= sum(row["revenue_high"] for row in answers[6])
    assert any(row["revenue_low"] < row["revenue_high"] for row in answers[6])

    # 7: MQLs and those that sales has answered, per region.
    waiting: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for cycle in cycles:
        if cycle.mql_at:
            waiting[cycle.region][0] += 1
            waiting[cycle.region][1] += cycle.first_response_at is not None
    assert {row["region"]: [row["mqls"], row["answered"]] for row in answers[7]} == waiting

    # 8: the running quarter and the next, region by region, as of the last day.
    quotas: dict[tuple[date, str], Decimal] = defaultdict(Decimal)
    for one in planning.targets(ANCHOR):
        if one.metric == "won_amount":
            day = min(one.period_start, ANCHOR - timedelta(days=1))
            quotas[one.period_start, one.region] += rates.convert(Decimal(one.target), one.currency_code, day)
    quarters = truth.quarters(scenario, now)
    regional = [row for row in answers[8] if row["region"] != "(all)"]
    assert len(regional) == len(quarters)
    for row in regional:
        quarter = quarters[row["period_start"], row["region"]]
        worth = [
            sum((rates.convert(one.amount, one.currency, one.rate_day) for one in of), Decimal())
            for of in (quarter.open, quarter.won)
        ]
        assert [row["open_amount"], row["booked_amount"]] == worth
        assert row["target"] == quotas.get((row["period_start"], row["region"]))

    # 9: read at one moment, nothing has changed since it was first reported.
    assert {row["days_changed"] for row in answers[9]} == {0}
    assert {row["as_known"] - row["as_first_reported"] for row in answers[9]} == {0}

    # 10: all marts, complete to the midnight at which the company was read.
    assert {(row["data_as_of"], row["last_audit_passed"]) for row in answers[10]} == {(now, True)}
    assert {row["mart"] for row in answers[10]} >= {"fct_funnel_daily", "fct_funnel_bridge", "rpt_retail_gap"}


# Runs last: another zone is a full build of its own. Casablanca sets its clocks back on 2026-02-15 and forward on
# 2026-03-22, so that a day of 25 and one of 23 hours are among the ninety.
@pytest.mark.soak
def test_days_of_a_reporting_zone_with_daylight_saving(
    company: Pipeline, scenario: Scenario, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone = "Africa/Casablanca"
    monkeypatch.setenv("REPORTING_TIMEZONE", zone)
    company.publish()
    expected: dict[date, int] = defaultdict(int)
    for cycle in truth.lead_cycles(scenario, now, zone=zone):
        expected[cycle.created_at.astimezone(ZoneInfo(zone)).date()] += 1
    found = {
        row["date_day"]: row["leads"]
        for row in rows(
            "select date_day, sum(leads)::int as leads from bi.fct_funnel_daily group by 1 having sum(leads) > 0"
        )
    }
    assert found == expected
    for day, length in ((date(2026, 2, 15), 25), (date(2026, 3, 22), 23)):
        hours = (datetime.combine(day + timedelta(days=1), time(), ZoneInfo(zone)).astimezone(UTC)
                 - datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)) / timedelta(hours=1)  # fmt: skip
        assert hours == length
        assert expected[day] > 0
    months = {
        row["month"]: row["won"]
        for row in rows(
            "select date_trunc('month', date_day)::date as month, sum(won)::int as won "
            "from bi.fct_funnel_daily group by 1"
        )
    }
    for month, counts in truth.monthly_counts(scenario, now, zone=zone).items():
        assert months[month] == counts.won


# Of one period and region there is one value, and the numbers of steps only sort: neither adds anything up.
SHOWN_AS_IT_IS = {"scorecard_friction", "step_order"}
# The layer's velocity takes the stock of the last of several months; a chart shows it month by month.
BY_MONTH = {"velocity_of_month": "velocity"}
# The least and the most favourable of all models: looked at below.
RANGE_OVER_MODELS = {"roas_lowest": min, "roas_highest": max}


def test_what_dashboards_compute_is_what_the_semantic_layer_defines(company: Pipeline) -> None:
    layer = metrics.Metrics()
    known = set(layer.names())
    compared = 0
    for path in sorted((settings.REPOSITORY / "dashboards/assets/datasets").glob("*.yaml")):
        dataset = contents.with_formulas(yaml.safe_load(path.read_text()), "USD")
        place = f"({dataset['sql']}) as shown" if dataset["sql"] else f"{dataset['schema']}.{dataset['table_name']}"
        for metric in dataset["metrics"]:
            name = metric["metric_name"]
            if name not in known:
                # The ledger is nobody's business figure.
                assert "ops." in place or name in {*SHOWN_AS_IT_IS, *BY_MONTH, *RANGE_OVER_MODELS}, (
                    f"{path.stem}: {name}"
                )
                continue
            (shown,) = rows(f"select {metric['expression']} as value from {place}")
            (defined,) = layer.ask([name])
            assert same(shown["value"], defined[name]), f"{path.stem}: {name} is {shown['value']}, not {defined[name]}"
            compared += 1
    assert compared > 60


def test_the_range_of_return_on_dashboards_is_that_over_all_models(company: Pipeline) -> None:
    path = settings.REPOSITORY / "dashboards/assets/datasets/returns.yaml"
    dataset = contents.with_formulas(yaml.safe_load(path.read_text()), "USD")
    formulas = {each["metric_name"]: each["expression"] for each in dataset["metrics"]}
    by_model: dict[str, list[Any]] = defaultdict(list)
    for row in metrics.Metrics().ask(["roas_of_model"], ["return_cell__channel", "return_cell__model"]):
        if row["roas_of_model"] is not None:
            by_model[row["return_cell__channel"]].append(row["roas_of_model"])
    assert max(map(len, by_model.values())) == 11
    for name, choose in RANGE_OVER_MODELS.items():
        shown = rows(f"select channel, {formulas[name]} as value from ({dataset['sql']}) as shown group by channel")
        found = {row["channel"]: row["value"] for row in shown if row["value"] is not None}
        assert set(found) == set(by_model)
        assert all(same(found[channel], choose(values)) for channel, values in by_model.items()), name


def test_the_velocity_of_a_month_on_dashboards_is_that_of_the_semantic_layer(company: Pipeline) -> None:
    dataset = yaml.safe_load((settings.REPOSITORY / "dashboards/assets/datasets/velocity.yaml").read_text())
    formulas = {each["metric_name"]: each["expression"] for each in dataset["metrics"]}
    for name, defined in BY_MONTH.items():
        shown = rows(f"select month_start, {formulas[name]} as value from bi.rpt_sales_velocity group by month_start")
        asked = metrics.Metrics().ask([defined], ["selling_cell__month_start__month"])
        layer = {row["selling_cell__month_start__month"].date(): row[defined] for row in asked}
        assert any(layer.values())
        assert set(layer) == {row["month_start"] for row in shown}
        assert all(same(row["value"], layer[row["month_start"]]) for row in shown)


def same(one: Any, other: Any) -> bool:
    """Equal but for the digits that dividing as floating point or as numeric leaves."""
    if one is None or other is None:
        return one is other
    return abs(float(one) - float(other)) <= 1e-9 * max(1.0, abs(float(other)))
