"""For how long a vendor changes a day: the notes of loads, the views of `ops`, and the window that follows."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from funnel import settings
from funnel.contract import Source
from funnel.ingest import completeness, load, restatement
from funnel.ingest.restatement import Measure
from funnel.sources import SOURCES
from tests.ingest.conftest import Land, ad_row
from tests.ingest.test_load import query

GOOGLE = SOURCES["google_ads"]
FIRST = date(2026, 1, 1)


def read(land: Land, on: date, costs: dict[date, int], run_id: str = "test") -> None:
    """A read on the morning of a day, with these days and the spend of their one campaign."""
    rows = [ad_row(day.isoformat(), cost=str(cost)) for day, cost in costs.items() if cost]
    days = sorted(costs)
    load.load(
        land(
            "google_ads",
            "campaign_stats",
            [rows],
            days[0].isoformat(),
            (days[-1] + timedelta(days=1)).isoformat(),
            fetched_at=datetime(on.year, on.month, on.day, 3, tzinfo=UTC).isoformat(),
            run_id=run_id,
        )
    )


def window_of(source: Source = GOOGLE) -> int:
    return completeness.days_to_read_again(source, source.name)


def test_a_load_notes_which_days_moved_at_which_age_and_by_how_much(land: Land) -> None:
    read(land, date(2026, 1, 4), {FIRST: 100, date(2026, 1, 2): 50, date(2026, 1, 3): 0})
    assert query("select count(*) from ops.day_changes") == [(0,)]
    read(land, date(2026, 1, 5), {FIRST: 125, date(2026, 1, 2): 50, date(2026, 1, 3): 7, date(2026, 1, 4): 9})
    read(land, date(2026, 1, 6), {date(2026, 1, 2): 0, date(2026, 1, 3): 7, date(2026, 1, 4): 9})
    assert query(
        "select date_day, age_days, age_before, rows_before, rows_after, rows_changed, measures -> 'cost_micros' "
        "from ops.day_changes order by load_id, date_day"
    ) == [
        (date(2026, 1, 1), 3, 2, 1, 1, 1, [100, 125]),
        (date(2026, 1, 2), 2, 1, 1, 1, 0, [50, 50]),
        (date(2026, 1, 3), 1, 0, 0, 1, 1, [0, 7]),
        (date(2026, 1, 2), 3, 2, 1, 0, 1, [50, 0]),
        (date(2026, 1, 3), 2, 1, 1, 1, 0, [7, 7]),
        (date(2026, 1, 4), 1, 0, 1, 1, 0, [9, 9]),
    ]
    assert query(
        "select age_days, days_read, days_moved, share_moved::float, relative_change::float, "
        "largest_relative_change::float from ops.restatement where measure = 'cost_micros' order by 1"
    ) == [(1, 2, 1, 0.5, 0.777778, 0.0), (2, 2, 0, 0.0, 0.0, 0.0), (3, 2, 2, 1.0, 0.5, 1.0)]


def test_a_load_that_runs_again_counts_once_and_a_late_read_counts_as_nothing(land: Land) -> None:
    read(land, date(2026, 1, 3), {FIRST: 100})
    newer = land(
        "google_ads", "campaign_stats", [[ad_row("2026-01-01", cost="5")]], "2026-01-01", "2026-01-02",
        fetched_at="2026-01-09T03:00:00+00:00",
    )  # fmt: skip
    load.load(newer)
    load.load(newer)
    read(land, date(2026, 1, 5), {FIRST: 33})
    assert query("select age_days, rows_changed from ops.day_changes") == [(7, 1)]


def test_a_vendor_that_moves_days_longer_than_it_says_is_read_further_back(land: Land) -> None:
    read(land, FIRST + timedelta(days=30), {FIRST: 100, FIRST + timedelta(days=1): 100})
    assert window_of() == 30
    read(land, FIRST + timedelta(days=33), {FIRST: 101})
    # A single change may be a vendor's correction, or a new column of ours.
    assert window_of() == 30
    read(land, FIRST + timedelta(days=34), {FIRST: 102, FIRST + timedelta(days=1): 100})
    # Two changes count. The day changed after it was read at age 29: from age 30 on, and a week is read beyond that.
    assert window_of() == 30 + restatement.MARGIN_DAYS
    read(land, FIRST + timedelta(days=35), {FIRST: 103})
    read(land, FIRST + timedelta(days=36), {FIRST: 104})
    assert window_of() == 34 + restatement.MARGIN_DAYS


def test_a_gap_between_two_reads_does_not_count_as_age_of_a_change(land: Land) -> None:
    for offset in (0, 1):
        day = FIRST + timedelta(days=offset)
        read(land, day + timedelta(days=2), {day: 100})
        read(land, day + timedelta(days=100), {day: 150})
    assert query("select count(*) from ops.restatement") == [(0,)]
    assert window_of() == 30


def test_what_moved_is_forgotten_when_reads_no_longer_find_it(land: Land) -> None:
    read(land, FIRST + timedelta(days=40), {FIRST: 100})
    for age, cost in ((41, 101), (42, 102)):
        read(land, FIRST + timedelta(days=age), {FIRST: cost})
    assert window_of() == 40 + restatement.MARGIN_DAYS
    later = FIRST + timedelta(days=60)
    read(land, later + timedelta(days=70), {later: 100})
    read(land, later + timedelta(days=72), {later: 100})
    assert window_of() == 30


def test_ops_sources_says_what_the_vendor_states_what_was_measured_and_what_is_read(land: Land) -> None:
    read(land, FIRST + timedelta(days=40), {FIRST: 100})
    read(land, FIRST + timedelta(days=41), {FIRST: 101})
    read(land, FIRST + timedelta(days=42), {FIRST: 102}, run_id="last")
    load.load(land("google_ads", "campaigns", [[]], run_id="last"))
    completeness.complete(GOOGLE, "last")
    assert query("select restatement_days, measured_restatement_days, reread_days from ops.sources") == [(30, 40, 47)]


@pytest.mark.parametrize(
    ("setting", "age", "full_reads", "days"),
    [
        (None, None, 0, 30),
        (None, 5, 90, 30),
        (None, 23, 90, 30),
        (None, 31, 2, 38),
        (None, 142, 2, 145),
        ('{"google_ads": 7}', 31, 90, 7),
        ('{"google_ads": 60}', None, 90, 60),
        ('{"google_ads": "measured"}', 5, 13, 30),
        ('{"google_ads": "measured"}', 5, 14, 12),
        ('{"google_ads": "measured"}', None, 14, 0),
        ('{"meta_ads": 7}', None, 0, 30),
    ],
)
def test_the_window_is_the_vendors_or_wider_unless_set_by_hand(
    monkeypatch: pytest.MonkeyPatch, setting: str | None, age: int | None, full_reads: int, days: int
) -> None:
    if setting:
        monkeypatch.setenv("FUNNEL_RESTATEMENT", setting)
    assert restatement.days_to_read_again(GOOGLE, Measure(age, full_reads)) == days


def test_a_vendor_that_states_more_than_the_limit_is_read_as_it_states() -> None:
    source = replace(GOOGLE, restatement_days=200)
    assert restatement.days_to_read_again(source, Measure(199, 0)) == 200


@pytest.mark.parametrize(
    "text", ["[1]", "7", "{", '{"google_ads": -1}', '{"google_ads": "less"}', '{"google_ads": true}']
)
def test_a_setting_that_cannot_be_meant_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("FUNNEL_RESTATEMENT", text)
    with pytest.raises(settings.ConfigurationError, match="number of days"):
        settings.restatement("google_ads")
