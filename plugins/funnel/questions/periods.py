"""Days and periods as analysts write them, and the period that `last 30 days` is."""

import re
from calendar import month_abbr, month_name
from dataclasses import dataclass
from datetime import date, timedelta

UNITS = ("day", "week", "month", "quarter", "year")
MONTHS = {name.lower(): number for names in (month_name, month_abbr) for number, name in enumerate(names) if name}


@dataclass(frozen=True)
class Period:
    """Both days are included; None is without a limit."""

    first: date | None = None
    last: date | None = None


def period_of(text: str) -> Period | None:
    """The period of `2026-03-31`, `2026-03`, `March 2026`, `2026-Q1`, `Q1 2026` or `2026`; None for anything else."""
    words = text.strip().lower()
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", words):
            day = date.fromisoformat(words)
            return Period(day, day)
        if match := re.fullmatch(r"(\d{4})-(\d\d?)", words):
            return _whole("month", date(int(match[1]), int(match[2]), 1))
        if match := re.fullmatch(r"(\d{4})[- ]?q([1-4])|q([1-4])[- ]?(\d{4})", words):
            year, quarter = int(match[1] or match[4]), int(match[2] or match[3])
            return _whole("quarter", date(year, 3 * quarter - 2, 1))
        if match := re.fullmatch(r"([a-z]+)\.? (\d{4})", words):
            return _whole("month", date(int(match[2]), MONTHS[match[1]], 1)) if match[1] in MONTHS else None
        if re.fullmatch(r"(19|20)\d\d", words):
            return _whole("year", date(int(words), 1, 1))
    except ValueError:
        pass
    return None


def recent(number: int, unit: str, last_complete: date) -> Period:
    """The last so many days up to the last complete one; of other units those that are over on that day."""
    if unit == "day":
        return Period(last_complete - timedelta(days=number - 1), last_complete)
    end = start_of(unit, last_complete + timedelta(days=1))
    first = end
    for _ in range(number):
        first = start_of(unit, first - timedelta(days=1))
    return Period(first, end - timedelta(days=1))


def start_of(unit: str, day: date) -> date:
    """The first day of the week (Monday), month, quarter or year of a day."""
    if unit == "week":
        return day - timedelta(days=day.weekday())
    if unit == "month":
        return day.replace(day=1)
    if unit == "quarter":
        return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
    return date(day.year, 1, 1) if unit == "year" else day


def _whole(unit: str, first: date) -> Period:
    after = first + timedelta(days={"month": 31, "quarter": 92, "year": 366}[unit])
    return Period(first, start_of(unit, after) - timedelta(days=1))
