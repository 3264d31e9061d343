"""Another time zone requires a full build, so this file comes last."""

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from sandbox import truth
from sandbox.scenario import Scenario
from tests.end_to_end.pipeline import Pipeline, rows


# Casablanca changes its clocks on 2026-02-15 and 2026-03-22, so that the ninety days include one of 25 and one of 23
# hours.
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
