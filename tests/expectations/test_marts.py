"""What the suites of marts let through and what they stop."""

import re

import pytest

from funnel import ledger, quality
from funnel.quality import Check
from tests.expectations.conftest import BESIDE, MODELS, Row, add_build, clean_rows, lay_all

MARTS = [name.removeprefix("marts/") for name in quality.mart_suites()]
POISONED = [(mart, description) for mart in MARTS for description in quality.suite(f"marts/{mart}").POISON]


def stated(name: str) -> list[str]:
    """Descriptions of all expectations of a suite."""
    module = quality.suite(name)
    return [each.description for kind in (module.CRITICAL, module.WARNING) for some in kind.values() for each in some]


def judge(mart: str) -> list[Check]:
    """The checks of one mart's suite, without those of the others."""
    with ledger.connect("builder") as connection:
        scope = quality._scope(connection, 1)
        batches = [batch for batch in quality._marts(connection, scope) if batch.suite == f"marts/{mart}"]
    with quality._warehouse("builder") as warehouse:
        return [check for batch in batches for check in quality.evaluate(warehouse, batch)]


def poisoned(mart: str, description: str) -> dict[str, list[Row]]:
    """All rows, those of the poison laid over the believable ones."""
    rows = clean_rows()
    poison = quality.suite(f"marts/{mart}").POISON[description]
    by_table = poison if isinstance(poison, dict) else {f"marts.{mart}": poison}
    for table, changes in by_table.items():
        rows[table] = [{**rows[table][0], **change} for change in changes]
    return rows


def test_every_mart_has_a_suite_and_every_suite_a_mart() -> None:
    assert sorted(path.stem for path in MODELS.glob("*.sql")) == sorted(MARTS)


@pytest.mark.parametrize("mart", MARTS)
def test_every_expectation_of_a_mart_has_poison_and_a_name_of_its_own(mart: str) -> None:
    names = stated(f"marts/{mart}")
    assert len(names) == len(set(names))
    assert sorted(quality.suite(f"marts/{mart}").POISON) == sorted(names)


def test_believable_marts_pass(marts: None) -> None:
    lay_all(clean_rows())
    report = quality.check_marts(1)
    assert [check.text for check in report.results if not check.passed] == []
    assert len(report.results) == len(stated("inputs")) + sum(len(stated(f"marts/{mart}")) for mart in MARTS)


@pytest.mark.parametrize(("mart", "description"), POISONED)
def test_poison_trips_its_expectation(marts: None, mart: str, description: str) -> None:
    lay_all(poisoned(mart, description))
    failed = [check for check in judge(mart) if not check.passed]
    tripped = next(check for check in failed if check.expectation == description)
    assert "raised" not in tripped.observed
    assert [check.expectation for check in failed if check.severity == tripped.severity] == [description]
