"""The suites of raw deliveries: what they accept and what they stop."""

import pytest

from funnel.gate import deliveries, suites
from funnel.gate.deliveries import check_raw, open_failures
from funnel.gate.report import Check, CheckReport
from funnel.gate.runner import evaluate
from funnel.sources import SOURCES
from funnel.warehouse import connect
from tests.gate.conftest import Deliver

JUDGED = [(name, stream.name) for name, source in SOURCES.items() for stream in source.streams]
POISONED = [
    (source, stream, description)
    for source, stream in JUDGED
    for description in suites.suite(f"raw/{source}").POISON[stream]
]
BOTH = [{"stream": "campaign_stats"}, {"stream": "campaigns"}]


def stated(module: object, stream: str) -> list[str]:
    """Descriptions of a stream's expectations, critical and warning."""
    return [each.description for kind in (module.CRITICAL, module.WARNING) for each in kind.get(stream, [])]


def passing(source: str, stream: str, changes: list[dict] | None = None) -> list[dict]:
    row = suites.suite(f"raw/{source}").PASSING[stream]
    return [{**row, **change} for change in ([{}] if changes is None else changes)]


def failed(report: CheckReport, table: str) -> list[Check]:
    return [check for check in report.results if check.table == table and not check.passed]


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_has_a_suite_for_each_of_its_streams(source: str) -> None:
    module = suites.suite(f"raw/{source}")
    streams = {stream.name for stream in SOURCES[source].streams}
    assert set(module.CRITICAL) | set(module.WARNING) == streams
    assert set(module.PASSING) == set(module.POISON) == streams


@pytest.mark.parametrize(("source", "stream"), JUDGED)
def test_every_expectation_of_a_stream_has_poison_and_a_name_of_its_own(source: str, stream: str) -> None:
    module = suites.suite(f"raw/{source}")
    names = stated(module, stream)
    assert len(names) == len(set(names))
    assert set(module.POISON[stream]) == set(names)


@pytest.mark.parametrize("source", SOURCES)
def test_a_delivery_of_good_rows_passes(deliver: Deliver, source: str) -> None:
    streams = [stream.name for stream in SOURCES[source].streams]
    deliver(source, {stream: passing(source, stream) for stream in streams})
    report = check_raw(source, "run")
    assert [check.text for check in report.results if not check.passed] == []
    module, deliveries = suites.suite(f"raw/{source}"), suites.suite("deliveries")
    expected = len(deliveries.CRITICAL) + len(deliveries.WARNING) + sum(len(stated(module, each)) for each in streams)
    money = sum(stream.money is not None for stream in SOURCES[source].streams)
    assert len(report.results) == expected + money


@pytest.mark.parametrize(("source", "stream", "description"), POISONED)
def test_poison_trips_its_expectation(
    deliver: Deliver, monkeypatch: pytest.MonkeyPatch, source: str, stream: str, description: str
) -> None:
    table = f"raw.{source}__{stream}"
    # Not the checks of every delivery: their poison is below.
    monkeypatch.setattr(
        deliveries, "evaluate", lambda data, batch: evaluate(data, batch) if batch.table == table else ()
    )
    rows = passing(source, stream, suites.suite(f"raw/{source}").POISON[stream][description])
    deliver(source, {stream: rows}, loads=[{"stream": stream}])
    tripped = failed(check_raw(source, "run"), table)
    assert [check.expectation for check in tripped] == [description]
    assert tripped[0].unexpected_count >= 1
    assert len(tripped[0].sample_keys) >= 1


def test_every_expectation_of_deliveries_has_poison() -> None:
    module = suites.suite("deliveries")
    assert [each.description for each in (*module.CRITICAL, *module.WARNING)] == list(module.POISON)


@pytest.mark.parametrize("description", suites.suite("deliveries").POISON)
def test_poison_trips_its_expectation_of_deliveries(deliver: Deliver, description: str) -> None:
    module = suites.suite("deliveries")
    deliver("google_ads", {}, loads=[{**module.PASSING, **change} for change in module.POISON[description]])
    tripped = failed(check_raw("google_ads", "run"), "ops.loads")
    same_severity = [check.expectation for check in tripped if check.severity == tripped[0].severity]
    assert same_severity == [description]


def test_a_run_that_loaded_nothing_fails(deliver: Deliver) -> None:
    deliver("google_ads", {}, run_id="another")
    report = check_raw("google_ads", "run")
    assert [check.expectation for check in report.failures] == ["every stream of the source was loaded"]


def test_bad_rows_of_other_days_are_not_read_again(deliver: Deliver) -> None:
    bad = passing("google_ads", "campaign_stats", [{"date": "2026-01-01", "cost_micros": -1}])
    deliver("google_ads", {"campaign_stats": bad}, run_id="old", window=("2026-01-01", "2026-01-02"))
    deliver("google_ads", {"campaign_stats": passing("google_ads", "campaign_stats")})
    assert check_raw("google_ads", "run").passed


def test_a_bad_row_that_was_sent_again_unchanged_is_still_bad(deliver: Deliver) -> None:
    bad = passing("google_ads", "campaign_stats", [{"cost_micros": -1}])
    deliver("google_ads", {"campaign_stats": bad}, run_id="old")
    # The loader does not write the stored row: it keeps the first load's id.
    deliver("google_ads", {}, loads=[{**load, "rows_read": 1, "rows_loaded": 1} for load in BOTH])
    assert not check_raw("google_ads", "run").passed


def test_bad_records_of_passed_runs_are_not_read_again(deliver: Deliver) -> None:
    bad = passing("hubspot", "deals", [{"probability": 40}])
    deliver("hubspot", {"deals": bad}, run_id="old")
    deliver("hubspot", {"companies": passing("hubspot", "companies")})
    assert check_raw("hubspot", "run").passed


def test_bad_records_of_a_failed_run_stay_in_sight_until_they_are_repaired(deliver: Deliver) -> None:
    deliver("hubspot", {"deals": passing("hubspot", "deals", [{"probability": 40}])}, run_id="old")
    assert not check_raw("hubspot", "old").passed
    deliver("hubspot", {}, run_id="next")
    report = check_raw("hubspot", "next")
    assert [check.expectation for check in report.failures] == ["the probability is a share"]
    with connect("loader") as connection:
        connection.execute("update raw.hubspot__deals set probability = 0.4")
        assert {row["run_id"] for row in open_failures(connection)} == {"old", "next"}
    deliver("hubspot", {}, run_id="repaired")
    assert check_raw("hubspot", "repaired").passed
    with connect("loader") as connection:
        assert open_failures(connection) == []


def test_a_repeated_attempt_is_checked_by_its_last_one(deliver: Deliver) -> None:
    spoilt = {"rows_read": 100, "rows_loaded": 50, "rows_quarantined": 50}
    deliver("google_ads", {}, loads=[{**load, **spoilt} for load in BOTH])
    assert not check_raw("google_ads", "run").passed
    deliver("google_ads", {}, loads=BOTH)
    assert check_raw("google_ads", "run").passed
    with connect("loader") as connection:
        assert open_failures(connection) == []


def test_the_volume_is_compared_with_the_same_stream_and_connection_only(deliver: Deliver) -> None:
    usual = [{"stream": "campaigns", "rows_read": 1000, "rows_loaded": 1000}] * 5
    elsewhere = [{**load, "stream": "campaign_stats", "connection_id": "google_ads__emea"} for load in usual]
    deliver("google_ads", {}, run_id="earlier", loads=[*usual, *elsewhere])
    few = {"rows_read": 100, "rows_loaded": 100}
    deliver("google_ads", {}, loads=[{"stream": "campaign_stats", **few}, {"stream": "campaigns", **few}])
    report = check_raw("google_ads", "run")
    assert [(check.expectation, check.unexpected_count) for check in report.warnings] == [
        ("the volume is like that of the loads before", 1)
    ]


def test_attempts_of_the_same_run_do_not_count_as_history(deliver: Deliver) -> None:
    many, few = {"rows_read": 1000, "rows_loaded": 1000}, {"rows_read": 100, "rows_loaded": 100}
    deliver("google_ads", {}, loads=[{**load, **many} for load in BOTH * 5])
    deliver("google_ads", {}, loads=[{**load, **few} for load in BOTH])
    assert check_raw("google_ads", "run").warnings == []
