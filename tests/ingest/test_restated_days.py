"""Restatements of the sandbox's vendors: spend settles within days, conversions arrive for weeks."""

from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from funnel import settings
from funnel.contract import Window
from funnel.ingest import completeness, forecast, landing, load
from funnel.sources import SOURCES
from tests.vendors import Company

DAYS = 45


def test_what_still_moves_is_measured_by_age(warehouse: str, company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    name, cost = "google_ads", "cost_micros"
    source = SOURCES[name]
    last = date(2026, 11, 22)
    for mornings in range(3):
        read_on = datetime(2026, 11, 23, 3, tzinfo=UTC) + timedelta(days=mornings)
        company.handle.set_now(read_on.isoformat())
        day = last + timedelta(days=mornings)
        window = Window(day - timedelta(days=DAYS), day + timedelta(days=1), until_now=True)
        for stream in source.streams:
            run_id = f"morning {mornings}"
            load.load(landing.land(source, company.connection(name), stream, window, run_id, read_on))
    completeness.complete(source, "morning 2")
    with psycopg.connect(settings.dsn("bi_reader")) as connection:
        moved = {
            (measure, age): (days_moved, change)
            for measure, age, days_moved, change in connection.execute(
                "select measure, age_days, days_moved, relative_change from ops.restatement where source = %s", (name,)
            )
        }
        responses, size = connection.execute(
            "select sum(cardinality(body_hashes)), sum(bytes) from ops.loads where stream = 'campaign_stats'"
        ).fetchone()  # type: ignore[misc]
        stated, measured, reread = connection.execute(
            "select restatement_days, measured_restatement_days, reread_days from ops.sources"
        ).fetchone()  # type: ignore[misc]
    monkeypatch.setenv("FUNNEL_TODAY", "2026-11-25")
    [what] = [
        each for each in forecast.forecast(source, last - timedelta(days=9), last) if each.stream == "campaign_stats"
    ]
    assert (what.days, what.days_known, what.last_read_on) == (10, 10, date(2026, 11, 25))
    # Three reads of 46 days each.
    assert (what.responses, what.size) == (-(-responses * 10 // 138), size * 10 // 138)
    [names] = [each for each in forecast.forecast(source, last, last) if each.stream == "campaigns"]
    assert (names.is_dated, names.last_read_on) == (False, date(2026, 11, 25))
    old = forecast.forecast(source, date(2026, 10, 20), date(2026, 10, 22))[0]
    assert old.days_again > old.days_moved == 0
    said = "\n".join(forecast.lines(source, last - timedelta(days=9), last))
    assert f"about {what.responses} response" in said
    assert "campaigns: about 1 response, 0.0 MB; records changed in these days; last read on 2026-11-25" in said
    assert f"of {what.days_again} days of this age or older that were read again, {what.days_moved} had changed" in said
    assert 0 < what.days_moved < what.days_again
    # A day of Los Angeles ends on the next day in UTC, so spend settles one age later there.
    assert moved[cost, 1][1] > moved[cost, 2][1] > 0
    assert [moved[cost, age] for age in range(4, DAYS)] == [(0, 0)] * (DAYS - 4)
    assert 24 <= measured <= 30
    assert moved["rows", measured][0] > 0
    assert all(moved["rows", age][0] == 0 for age in range(measured + 1, DAYS))
    assert reread == max(stated, measured + 7) == completeness.days_to_read_again(source, name)
