"""The reads of one run of a source: its streams, and at intervals reads that find changes the vendor does not report.

Listings of ids come first, so that the run's other reads are newer: a record that is created or restored during the run
never counts as deleted.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from funnel import settings, warehouse
from funnel.contract import Connection, Source, Stream, Window
from funnel.ingest import reconcile

Read = tuple[Source, Stream, Window]


def reads(source: Source, connection: Connection, window: Window, moment: datetime | None = None) -> list[Read]:
    """The reads of a run in the order of landing, each as the arguments of `landing.land`.

    A run of past days reads only these days.
    """
    planned = [(source, stream, window) for stream in source.streams]
    if not window.until_now:
        return planned
    moment = moment or settings.now()
    whole = _whole(source, connection, moment)
    planned = [(source, stream, replace(window, whole=stream.name in whole)) for stream in source.streams]
    due = reconcile.due(source, connection, moment)
    return [*((*reconcile.as_read(source, stream), window) for stream in due), *planned]


def _whole(source: Source, connection: Connection, moment: datetime) -> set[str]:
    """Streams whose last whole read, or else first load, is older than the setting allows."""
    days = {
        stream.name: chosen
        for stream in source.streams
        if stream.whole_days and (chosen := connection.days("whole_days", stream, stream.whole_days))
    }
    if not days:
        return set()
    with warehouse.connect("loader") as database:
        known = database.execute(
            """
            select stream, coalesce(max(fetched_at) filter (where is_whole), min(fetched_at))
            from ops.loads where source = %s and connection_id = %s and stream = any(%s) group by stream
            """,
            (source.name, connection.connection_id, list(days)),
        ).fetchall()
    return {stream for stream, last in known if moment - last >= timedelta(days=days[stream])}


def in_order_of_load(landed: list[str]) -> list[str]:
    """Paths of landed reads, listings last: a refused listing does not stop other streams."""
    return sorted(landed, key=reconcile.is_listing)
