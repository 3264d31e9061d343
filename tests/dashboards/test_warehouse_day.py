"""Time ranges of dashboards count from the warehouse's day, whatever the time zone and clock of the machine."""

import json
import os
import subprocess
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from funnel import settings
from installation import environments

ASK = """
import json, sys, warehouse_day
from superset.utils import date_parser
warehouse_day.install()
ranges = [date_parser.get_since_until(time_range=text) for text in sys.argv[1:]]
print(json.dumps([[f"{moment:%Y-%m-%d %H:%M}" for moment in both] for both in ranges]))
"""


def ranges(*texts: str, **environment: str) -> list[list[str]]:
    if not environments.SUPERSET.exists():
        pytest.skip("Superset is not installed: make dashboards")
    done = subprocess.run(
        [str(environments.SUPERSET), "-c", ASK, *texts],
        env={**os.environ, "PYTHONPATH": str(settings.REPOSITORY / "dashboards"), "FUNNEL_TODAY": "", **environment},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: list[list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_time_ranges_count_from_the_stated_day() -> None:
    assert ranges("Last 30 days", "previous calendar month", "Last year", FUNNEL_TODAY="2028-02-29") == [
        ["2028-01-30 00:00", "2028-02-29 00:00"],
        ["2028-01-01 00:00", "2028-02-01 00:00"],
        ["2027-02-28 00:00", "2028-02-29 00:00"],
    ]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
def test_a_day_begins_where_the_warehouse_is_not_where_the_machine_is(zone: str) -> None:
    other = {"Pacific/Kiritimati": "Etc/GMT+12", "Etc/GMT+12": "Pacific/Kiritimati"}[zone]
    before = datetime.now(ZoneInfo(zone))
    [[_, until]] = ranges("Last 30 days", TZ=other, REPORTING_TIMEZONE=zone)
    assert until in {f"{moment:%Y-%m-%d} 00:00" for moment in (before, datetime.now(ZoneInfo(zone)))}
