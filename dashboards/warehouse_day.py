"""What `today` means in a dashboard's time range: the day of the warehouse, REPORTING_TIMEZONE's, not of this machine.

FUNNEL_TODAY states another day, as it does for the pipeline.
"""

import os
from datetime import date, datetime
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo


def now() -> datetime:
    """The time that counts as now, without a zone, as Superset uses it."""
    real = datetime.now(ZoneInfo(os.environ.get("REPORTING_TIMEZONE") or "UTC")).replace(tzinfo=None)
    stated = os.environ.get("FUNNEL_TODAY")
    return datetime.combine(date.fromisoformat(stated), real.time()) if stated else real


class Moments:
    """Stands for the class `datetime` where that is only called and asked for now."""

    now = staticmethod(now)

    def __call__(self, *arguments: Any, **fields: Any) -> datetime:
        return datetime(*arguments, **fields)  # noqa: DTZ001


def install() -> None:
    """Give Superset's reader of time ranges this clock."""
    import parsedatetime
    from superset.utils import date_parser

    class Calendar(parsedatetime.Calendar):  # type: ignore[misc]
        def parse(self, datetimeString: str, sourceTime: Any = None, version: Any = None) -> Any:
            return super().parse(datetimeString, sourceTime or now().timetuple(), version)

    date_parser.datetime = Moments()
    date_parser.parsedatetime = SimpleNamespace(Calendar=Calendar)
