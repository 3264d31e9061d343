"""Two weeks of mornings after a first load: merges, deletions and associations that vendors do not report.

The company's days are loaded one after the other and built once, so the result shows what the loads have kept. Each
kind of change has a test of its own in test_merges, test_removed_records, test_reconcile and test_unannounced.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from funnel import settings
from sandbox import process, truth
from sandbox.scenario import Scenario
from sandbox.worlds import build
from tests.end_to_end.pipeline import Pipeline, rows

pytestmark = pytest.mark.soak

ANCHOR = date(2026, 3, 31)
SEED = 7
DAYS = 90
MORNINGS = 14
SOURCES = ("hubspot", "salesforce", "shopify")
NOW = datetime(ANCHOR.year, ANCHOR.month, ANCHOR.day, tzinfo=UTC)


@pytest.fixture(scope="module")
def company(module_warehouse: str) -> Iterator[Pipeline]:
    """The company after a first load and two weeks of mornings."""
    sandbox = process.start("company", SEED, ANCHOR)
    try:
        pipeline = Pipeline(sandbox)
        first = NOW - timedelta(days=MORNINGS)
        sandbox.set_now(first.isoformat())
        for source in SOURCES:
            pipeline.ingest(source, first.date() - timedelta(days=DAYS), first.date() - timedelta(days=1), first)
        for number in range(MORNINGS):
            pipeline.day(first.date() + timedelta(days=number), sources=SOURCES)
        pipeline.publish()
        yield pipeline
    finally:
        sandbox.stop()


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return build("company", SEED, ANCHOR)


def asked(query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(settings.dsn("admin")) as connection:
        return connection.execute(query.encode()).fetchall()


def test_the_two_weeks_contain_every_kind_of_change(company: Pipeline) -> None:
    """Otherwise the comparisons below would prove nothing."""
    removed = dict(asked("select stream, sum(rows_removed)::int from ops.listings group by 1"))
    assert {stream for stream, count in removed.items() if count} >= {
        *("orders", "campaign_members", "opportunity_line_items"),
    }
    ((deals, companies),) = asked(
        """
        select
            count(*) filter (where record_type = 'deal'),
            count(*) filter (where record_type = 'company')
        from intermediate.int_record_merges as merges
        where merges.source_system = 'hubspot' and (
            merges.loser_id in (select deal_id from raw.hubspot__deals)
            or merges.loser_id in (select company_id from raw.hubspot__companies)
        )
        """
    )
    assert deals >= 2
    assert companies >= 1
    # Activities that are associated later were first loaded without their contact.
    ((linked,),) = asked(
        """
        select count(*) from raw.hubspot__calls as calls
        where contacts <> '[]' and _load_id > (
            select min(load_id) from ops.loads as loads
            where loads.stream = 'calls' and loads.fetched_at > calls.updated_at
        )
        """
    )
    assert linked > 0


def test_every_opportunity_is_there_once(company: Pipeline, scenario: Scenario) -> None:
    expected = {
        one.opportunity_id: (one.status, one.opportunity_type, one.created_at, one.amount, one.region)
        for one in truth.opportunities(scenario, NOW)
    }
    found = {
        row["opportunity_id"]: (
            "won" if row["is_won"] else "lost" if row["is_lost"] else "open",
            row["opportunity_type"], row["created_at"], row["amount_local"], row["region"],
        )
        for row in rows("select * from bi.fct_opportunities")
    }  # fmt: skip
    assert found == expected


def test_every_order_that_the_shop_has_is_there(company: Pipeline, scenario: Scenario) -> None:
    expected = {one.order_id: (one.is_counted, one.net) for one in truth.orders(scenario, NOW)}
    found = {
        row["order_id"]: (row["is_counted"], row["amount_local"])
        for row in rows(
            "select order_id, bool_and(is_counted) as is_counted, sum(amount_local) as amount_local "
            "from bi.fct_orders group by order_id"
        )
    }
    assert found == expected


def test_every_lead_and_person_is_there(company: Pipeline, scenario: Scenario) -> None:
    cycles = truth.lead_cycles(scenario, NOW)
    expected = sorted((one.created_at, one.first_response_at or NOW) for one in cycles)
    found = sorted((row["created_at"], row["first_response_at"] or NOW) for row in rows("select * from bi.fct_leads"))
    assert found == expected
    people = sorted(human.records_merged for human in truth.people(scenario, NOW))
    assert sorted(row["n"] for row in rows("select n_records_merged as n from bi.dim_people")) == people
