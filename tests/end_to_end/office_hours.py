"""Counts business time independently of the warehouse: hour by hour with Python's own time zones.

It reads only the seeds.
"""

import csv
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

SEEDS = Path(__file__).parents[2] / "dbt_project" / "seeds"


def _rows(seed: str) -> list[dict[str, str]]:
    with open(SEEDS / f"{seed}.csv", newline="") as file:
        return list(csv.DictReader(file))


@cache
def _hours(region: str) -> tuple[ZoneInfo, str, time, time, frozenset[date]]:
    hours = {row["region"]: row for row in _rows("business_hours")}
    calendars = {row["region"]: row["calendar"] for row in _rows("region_calendars")}
    row = hours.get(region, hours["(default)"])
    holidays = frozenset(
        date.fromisoformat(day["holiday_date"])
        for day in _rows("holidays")
        if day["calendar"] == calendars.get(row["region"])
    )
    opens, closes = (time.fromisoformat(row[name]) for name in ("opens_at", "closes_at"))
    return ZoneInfo(row["time_zone"]), row["working_days"], opens, closes, holidays


def business_seconds(region: str, since: datetime, until: datetime) -> float:
    """Seconds between two moments during which people of the region work; 0 if the second is not later."""
    zone, working_days, opens, closes, holidays = _hours(region)
    total = 0.0
    day = since.astimezone(zone).date()
    while day <= until.astimezone(zone).date():
        if str(day.isoweekday()) in working_days and day not in holidays:
            begins = datetime.combine(day, opens, zone).astimezone(UTC)
            ends = datetime.combine(day, closes, zone).astimezone(UTC)
            total += max(0.0, (min(ends, until) - max(begins, since)).total_seconds())
        day += timedelta(days=1)
    return total


def sla_minutes(region: str, team: str) -> int | None:
    """A team's service level in a region, in minutes; None without one."""
    promised = {(row["region"], row["team"]): int(row["sla_minutes"]) for row in _rows("sla_rules")}
    return promised.get((region, team), promised.get(("(default)", team)))
