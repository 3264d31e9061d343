"""Sixty mornings of the made-up company, each read, built, audited and published: as if all had been known at once.

The company restates its ad statistics, merges and deletes records and closes deals late. Here one source is also late
on some mornings: its day is left out, and read on a later morning, after newer days.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from funnel.sources import SOURCES
from sandbox import process
from tests.end_to_end.pipeline import Pipeline, rows
from tests.end_to_end.test_worked_example import marts_rows

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

ANCHOR = date(2026, 3, 31)
MORNINGS = 60
# Of the mornings, every so many finds a source late; what it missed is read this many mornings later.
LATE_EVERY, READ_AFTER = 7, 3


@pytest.fixture(scope="module")
def company(module_warehouse: str) -> Iterator[Pipeline]:
    """The company after sixty mornings."""
    sandbox = process.start("company", 7, ANCHOR)
    try:
        pipeline = Pipeline(sandbox)
        names = [name for name in SOURCES if name in sandbox.connections()]
        first = ANCHOR - timedelta(days=MORNINGS)
        missed: list[tuple[int, str, date]] = []
        for number in range(MORNINGS):
            day = first + timedelta(days=number)
            now = datetime(day.year, day.month, day.day, 3, tzinfo=UTC) + timedelta(days=1)
            late = names[number // LATE_EVERY % len(names)] if number and number % LATE_EVERY == 0 else None
            pipeline.day(day, reach_back=30 if not number else None, sources=[name for name in names if name != late])
            if late:
                missed.append((number + READ_AFTER, late, day))
            for _, name, missed_day in [each for each in missed if each[0] == number]:
                pipeline.ingest(name, missed_day, missed_day, now)
            pipeline.publish()
        for due, name, missed_day in missed:
            if due >= MORNINGS:
                pipeline.ingest(name, missed_day, missed_day, now)
        pipeline.publish()
        yield pipeline
    finally:
        sandbox.stop()


def test_sixty_mornings_leave_what_one_full_build_makes(company: Pipeline) -> None:
    published = [mart["mart"] for mart in rows("select mart from bi.data_status")]
    before = {mart: marts_rows(mart) for mart in published}
    restated = rows("select count(*) as days from bi.rpt_restatement where as_known <> as_first_reported")
    merged = rows("select count(*) as people from bi.dim_people where n_records_merged > 1")
    company.publish(full=True)
    assert len(before) > 30
    differing = {mart: set(marts_rows(mart)) ^ set(content) for mart, content in before.items()}
    assert {mart: sorted(lines)[:4] for mart, lines in differing.items() if lines} == {}
    assert restated[0]["days"] > 0
    assert merged[0]["people"] > 0
