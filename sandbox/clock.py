"""Moments: whole milliseconds since 1970 in UTC, and the formats of the vendors.

There is no "now": callers pass the moment at which the company is read.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(text: str) -> int:
    """The moment of an ISO 8601 text; a bare date is its first instant in UTC."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    return (parsed - EPOCH) // timedelta(milliseconds=1)


def instant(at: int) -> datetime:
    """The moment as an aware datetime in UTC."""
    return EPOCH + timedelta(milliseconds=at)


@lru_cache(maxsize=65_536)
def iso(at: int) -> str:
    """HubSpot's format: 2026-01-05T10:00:00.000Z."""
    return instant(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@lru_cache(maxsize=65_536)
def salesforce_time(at: int) -> str:
    """Salesforce's format: 2026-01-05T10:00:00.000+0000."""
    return instant(at).isoformat(timespec="milliseconds").replace("+00:00", "+0000")


@lru_cache(maxsize=16_384)
def day_start(day: date, zone: str = "UTC") -> int:
    """The first instant of a calendar day in a time zone."""
    local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    return (local.astimezone(UTC) - EPOCH) // timedelta(milliseconds=1)


def day_of(at: int, zone: str = "UTC") -> date:
    """The calendar day of a moment in a time zone."""
    return instant(at).astimezone(ZoneInfo(zone)).date()
