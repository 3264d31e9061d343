"""The published funnel by month, by cohort and between both clocks equals the company's truth exactly."""

from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import psycopg
import pytest

from funnel import settings
from sandbox import truth
from sandbox.scenario import Scenario
from tests.build.test_project import MARTS, TOTALS
from tests.end_to_end.company.conftest import ANCHOR
from tests.end_to_end.company.rates import Rates
from tests.end_to_end.pipeline import Pipeline, rows
from tests.rounding import half_up


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


def test_no_table_whose_rows_are_added_contains_a_total(company: Pipeline) -> None:
    texts: dict[str, list[str]] = defaultdict(list)
    for row in rows(
        "select table_name, column_name from information_schema.columns "
        "where table_schema = 'bi' and data_type = 'text'"
    ):
        texts[row["table_name"]].append(row["column_name"])
    found = {
        mart
        for mart in MARTS
        if texts[mart] and rows(f"select from bi.{mart} where '(all)' in ({', '.join(texts[mart])}) limit 1")
    }
    assert found == TOTALS
    for mart in ("fct_ad_stats_daily", "fct_funnel_daily", "fct_funnel_monthly", "rpt_channel_return"):
        assert rows(f"select from bi.{mart} where region = '(not split)' and spend > 0 limit 1"), mart


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
    """The model's own compiled statement on generated leads: estimate and interval to 1e-9."""
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
