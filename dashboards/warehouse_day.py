"""The meaning of `today` in a dashboard's time range: the warehouse's day in REPORTING_TIMEZONE, not this machine's.

FUNNEL_TODAY overrides it, as in the pipeline.
"""

import os
from datetime import date, datetime
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo


def now() -> datetime:
    """The current time, without a zone, as Superset uses it."""
    real = datetime.now(ZoneInfo(os.environ.get("REPORTING_TIMEZONE") or "UTC")).replace(tzinfo=None)
    stated = os.environ.get("FUNNEL_TODAY")
    return datetime.combine(date.fromisoformat(stated), real.time()) if stated else real


class Moments:
    """A substitute for the class `datetime` where code only calls it and its `now`."""

    now = staticmethod(now)

    def __call__(self, *arguments: Any, **fields: Any) -> datetime:
        """Like `datetime(…)`, without a zone."""
        return datetime(*arguments, **fields)  # noqa: DTZ001


def install() -> None:
    """Make Superset's parser of time ranges use this clock."""
    import parsedatetime
    from superset.utils import date_parser

    class Calendar(parsedatetime.Calendar):  # type: ignore[misc]
        def parse(self, datetimeString: str, sourceTime: Any = None, version: Any = None) -> Any:
            return super().parse(datetimeString, sourceTime or now().timetuple(), version)

    date_parser.datetime = Moments()
    date_parser.parsedatetime = SimpleNamespace(Calendar=Calendar)
