"""The meaning of `today` in a dashboard's time range: the day after the last complete one of the data (DSH-7).

So "Last 30 days" are the last 30 complete days whatever the clock says. Before the first publication it is the day in
REPORTING_TIMEZONE, or FUNNEL_TODAY as in the pipeline.
"""

import os
from datetime import date, datetime
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from publication_in_effect import publication_in_effect


def now() -> datetime:
    """The current time, without a zone, as Superset uses it."""
    zone = ZoneInfo(os.environ.get("REPORTING_TIMEZONE") or "UTC")
    real = datetime.now(zone).replace(tzinfo=None)
    if found := publication_in_effect():
        return datetime.combine(found[1].astimezone(zone).date(), real.time())
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
