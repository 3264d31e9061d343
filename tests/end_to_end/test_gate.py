"""A day that fails its audit: readers keep yesterday's data, see why, and get today's once it is repaired."""

import os
from collections.abc import Iterator
from datetime import date
from typing import Any

import psycopg
import pytest

from funnel import settings
from funnel.gate import errors
from funnel.gate.marts import check_marts
from funnel.gate.report import require
from funnel.publication import preview, publication, undo
from funnel.publication.errors import PublishError
from sandbox import process
from tests.end_to_end.pipeline import Pipeline, rows

SOURCES = ("google_ads", "hubspot", "salesforce")


@pytest.fixture(scope="module")
def published(module_warehouse: str) -> Iterator[Pipeline]:
    """The worked example as published on 2026-01-06."""
    sandbox = process.start("worked_example", 7, date(2026, 1, 5))
    try:
        pipeline = Pipeline(sandbox)
        pipeline.day(date(2026, 1, 5), sources=SOURCES)
        pipeline.publish()
        yield pipeline
    finally:
        sandbox.stop()


def contents() -> dict[str, list[dict[str, Any]]]:
    marts = sorted(row["mart"] for row in rows("select mart from bi.data_status"))
    return {mart: rows(f"select * from bi.{mart} as mart order by mart::text") for mart in marts}


# In the days of the newest build. The first run does damage, the second undoes it.
NEGATIVE = """
    update marts.fct_funnel_daily set leads = -1 - leads
    where date_day = (select max(date_day) from marts.fct_funnel_daily)
"""


def damage(statement: str) -> None:
    """The result of a fault in a model: the audit must detect it."""
    with psycopg.connect(settings.dsn("builder")) as connection:
        connection.execute(statement.encode())


def test_failed_audit_leaves_readers_alone_until_it_is_repaired(published: Pipeline) -> None:
    yesterday = contents()
    assert len(yesterday) > 15
    published.day(date(2026, 1, 7), sources=SOURCES)
    built = published.build()
    # Counts become negative after the audit passed: the next audit must fail.
    damage(NEGATIVE)
    report = check_marts(built)
    with pytest.raises(errors.GateClosed, match="fct_funnel_daily"):
        require(report)
    with pytest.raises(PublishError, match="failed its audit"):
        publication.publish(built)
    assert contents() == yesterday
    (status,) = rows(
        "select distinct last_audit_passed, failed_checks, data_as_of::date::text as as_of from bi.data_status"
    )
    assert status["last_audit_passed"] is False
    assert any("fct_funnel_daily" in check for check in status["failed_checks"])
    assert status["as_of"] == "2026-01-06"
    assert "@" not in os.linesep.join(status["failed_checks"])

    damage(NEGATIVE)
    require(check_marts(built))
    planned = preview.preview(built)
    assert not planned.is_empty
    assert planned.rows_changed == publication.publish(built).rows_changed
    (status,) = rows("select distinct last_audit_passed, data_as_of::date::text as as_of from bi.data_status")
    assert status == {"last_audit_passed": True, "as_of": "2026-01-08"}
    today = contents()
    assert today != yesterday

    undo.roll_back("anna", "a test")
    assert contents() == yesterday
    undo.resume("anna")
    published.publish()
    assert {
        mart: [{k: v for k, v in row.items() if k != "publication_id"} for row in found]
        for mart, found in contents().items()
    } == {
        mart: [{k: v for k, v in row.items() if k != "publication_id"} for row in found]
        for mart, found in today.items()
    }


def test_bad_delivery_closes_the_gate_before_anything_is_built(published: Pipeline) -> None:
    published.sandbox.misbehave("google_ads", "retyped_field", times=None)
    try:
        with pytest.raises(errors.GateClosed):
            published.day(date(2026, 1, 8), sources=SOURCES)
    finally:
        published.sandbox.reset()
    last_days = {
        row["source"]: str(row["last_day_complete"])
        for row in rows("select source, last_day_complete from ops.sources")
    }
    assert last_days["google_ads"] == "2026-01-07"
    assert rows("select count(*) > 0 as some from ops.quarantine where source = 'google_ads'") == [{"some": True}]
    published.day(date(2026, 1, 8), sources=SOURCES)
    published.publish()
    assert rows("select count(*) as open from ops.quarantine where replayed_at is null") == [{"open": 0}]
