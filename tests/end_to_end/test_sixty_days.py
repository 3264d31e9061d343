"""Sixty mornings of the simulated company, each read, built, audited and published, give the same as one load of
everything.

The company restates its ad statistics, merges and deletes records, closes deals late, and closes two ad accounts. On
some mornings one source is late: its day is left out, and read on a later morning, after newer days. Once a week, on a
complete morning, and after the last one, the marts are compared with the truth; on every morning what has moved and
what changed the amount won with notes of the mornings before.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from funnel.sources import SOURCES
from sandbox import process
from sandbox.worlds import build
from tests.end_to_end.comparison import differences
from tests.end_to_end.movements import Notes
from tests.end_to_end.pipeline import Pipeline, rows
from tests.end_to_end.test_worked_example import marts_rows

pytestmark = [pytest.mark.soak, pytest.mark.timeout(7200)]

END = date(2026, 3, 31)
MORNINGS = 60
SEED = 7
# Ad accounts close on the 11th and the 17th day after the anchor.
ANCHOR = END - timedelta(days=25)
# Every n-th morning a source is late; what it missed is read this many mornings later.
LATE_EVERY, READ_AFTER = 7, 3
# All days of the company since it has a CRM.
FIRST_LOAD_DAYS = 60


@dataclass
class Lived:
    """The company after its mornings: the pipeline, and the differences from the truth by morning."""

    pipeline: Pipeline
    differing: dict[date, dict[str, dict[str, list[Any]]]] = field(default_factory=dict)
    compared: list[date] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)


@pytest.fixture(scope="module")
def company(module_warehouse: str) -> Iterator[Lived]:
    sandbox = process.start("company", SEED, ANCHOR)
    scenario = build("company", SEED, ANCHOR)
    try:
        lived = Lived(Pipeline(sandbox))
        pipeline = lived.pipeline
        names = [name for name in SOURCES if name in sandbox.connections()]
        first = END - timedelta(days=MORNINGS)
        missed: list[tuple[int, str, date]] = []
        for number in range(MORNINGS):
            day = first + timedelta(days=number)
            now = datetime(day.year, day.month, day.day, 3, tzinfo=UTC) + timedelta(days=1)
            late = names[number // LATE_EVERY % len(names)] if number and number % LATE_EVERY == 0 else None
            reach_back = None if number else FIRST_LOAD_DAYS
            pipeline.day(day, reach_back=reach_back, sources=[name for name in names if name != late])
            if late:
                missed.append((number + READ_AFTER, late, day))
            for _, name, missed_day in [each for each in missed if each[0] == number]:
                pipeline.ingest(name, missed_day, missed_day, now)
            pipeline.publish()
            lived.notes.take(day)
            if number % LATE_EVERY == READ_AFTER + 1 or number == MORNINGS - 1:
                scenario.grow(int(now.timestamp() * 1000))
                lived.compared.append(day)
                if found := differences(scenario, now, first - timedelta(days=FIRST_LOAD_DAYS)):
                    lived.differing[day] = found
                    print(day, found, flush=True)
        yield lived
    finally:
        sandbox.stop()


def test_the_mornings_are_as_the_truth_has_them(company: Lived) -> None:
    assert len(company.compared) == 9
    assert company.compared[-1] == END - timedelta(days=1)
    assert company.differing == {}


def test_what_moved_and_what_changed_the_amount_won_is_exact_on_every_morning(company: Lived) -> None:
    assert company.notes.differing == {}
    assert company.notes.moved >= {"spend", "leads", "won_amount", "order_amount", "revenue"}


def test_accounts_that_closed_keep_their_days(company: Lived) -> None:
    found = {
        row["account"]: (row["status"], row["last_day"])
        for row in rows("select account, status, last_day from ops.accounts where status <> 'read'")
    }
    assert found == {
        "180000002": ("no longer asked", ANCHOR + timedelta(days=10)),
        "4155550102": ("no longer asked", ANCHOR + timedelta(days=16)),
    }
    refused = {row["account"] for row in rows("select account from ops.account_reads where refused_at is not null")}
    assert refused == set(found)


def test_sixty_mornings_leave_what_one_full_build_makes(company: Lived) -> None:
    published = [mart["mart"] for mart in rows("select mart from bi.data_status")]
    before = {mart: marts_rows(mart) for mart in published}
    restated = rows("select count(*) as days from bi.rpt_restatement where as_known <> as_first_reported")
    merged = rows("select count(*) as people from bi.dim_people where n_records_merged > 1")
    company.pipeline.publish(full=True)
    assert len(before) > 30
    differing = {mart: set(marts_rows(mart)) ^ set(content) for mart, content in before.items()}
    assert {mart: sorted(lines)[:4] for mart, lines in differing.items() if lines} == {}
    assert restated[0]["days"] > 0
    assert merged[0]["people"] > 0
