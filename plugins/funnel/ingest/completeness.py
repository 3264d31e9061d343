"""The last complete day of each connection of a source, and the day from which it is read again.

Both (ops.sources) advance only when a delivery passed its gate.
"""

import logging
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql

from funnel import settings, warehouse
from funnel.contract import Source, raw_table
from funnel.ingest import accounts, restatement

log = logging.getLogger(__name__)


def complete(source: Source, run_id: str) -> None:
    """Record that a run's loads are checked: the last complete day of each connection of the source, in its own time
    zone.

    A day counts as complete once it was read after its end. The last complete day never moves back.
    """
    with warehouse.connect("loader") as connection:
        loaded = connection.execute(
            "select distinct connection_id from ops.loads where source = %s and run_id = %s", (source.name, run_id)
        ).fetchall()
        for (connection_id,) in loaded:
            complete_connection(connection, source, connection_id, run_id)


def complete_connection(connection: psycopg.Connection[Any], source: Source, connection_id: str, run_id: str) -> None:
    """Like `complete`, for one connection and in an open transaction."""
    zoned = next((one for one in source.streams if any(column.name == "time_zone" for column in one.columns)), None)
    first_day, end_day, fetched_at = connection.execute(
        """
        select min(window_from), max(window_to), max(fetched_at)
        from ops.loads where source = %s and run_id = %s and connection_id = %s
        """,
        (source.name, run_id, connection_id),
    ).fetchone()  # type: ignore[misc]
    zone = None
    if zoned:
        query = sql.SQL("select string_agg(distinct time_zone, ', ') from {} where _connection_id = %s")
        table = sql.Identifier("raw", raw_table(source, zoned))
        zone = connection.execute(query.format(table), (connection_id,)).fetchone()[0]  # type: ignore[index]
    measured = restatement.measure(connection, source, connection_id)
    day_now = fetched_at.astimezone(ZoneInfo(zone) if zone and "," not in zone else UTC).date()
    connection.execute(
        """
        insert into ops.sources as known (
            source, connection_id, owner, time_zone, restatement_days, measured_restatement_days, reread_days,
            first_day, last_day_complete
        )
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (source, connection_id) do update
        set
            owner = excluded.owner,
            time_zone = excluded.time_zone,
            restatement_days = excluded.restatement_days,
            measured_restatement_days = excluded.measured_restatement_days,
            reread_days = excluded.reread_days,
            first_day = least(known.first_day, excluded.first_day),
            last_day_complete = greatest(known.last_day_complete, excluded.last_day_complete),
            updated_at = clock_timestamp()
        """,
        (
            source.name,
            connection_id,
            source.owner,
            zone or "UTC",
            source.restatement_days,
            measured.oldest_moving_age,
            restatement.days_to_read_again(source, measured),
            first_day,
            min(end_day, day_now) - timedelta(days=1),
        ),
    )


def moment_of_read(source_name: str, connection_id: str, stream_name: str) -> datetime:
    """The moment that orders a read that begins now among other reads, in UTC, on the day of FUNNEL_TODAY if it is set.

    It comes from the warehouse's clock, which all workers share, and is later than every loaded read: if a clock was
    once ahead, that must not hide what is read after it.
    """
    with warehouse.connect("loader") as connection:
        clock, newest = connection.execute(
            """
            select clock_timestamp(), max(fetched_at) from ops.loads
            where source = %s and connection_id = %s and stream = %s
            """,
            (source_name, connection_id, stream_name),
        ).fetchone()  # type: ignore[misc]
    moment = settings.on_stated_day(clock.astimezone(UTC))
    if newest is not None and newest >= moment:
        log.warning(
            "%s.%s of connection %s: a read of %s is loaded, later than now (%s): a clock was ahead; this read counts "
            "as the later one.",
            *(source_name, stream_name, connection_id, newest, moment),
        )
        moment = newest.astimezone(UTC) + timedelta(microseconds=1)
    return moment


def last_day_complete(source_name: str, connection_id: str) -> date | None:
    """The last day up to which a connection is loaded and checked; None if there is none.

    It ends before the days that were missed of an account that answers again.
    """
    with warehouse.connect("loader") as connection:
        row = connection.execute(
            "select last_day_complete from ops.sources where source = %s and connection_id = %s",
            (source_name, connection_id),
        ).fetchone()
        if row is None or row[0] is None:
            return None
        missed = accounts.first_missed_day(connection, source_name, connection_id, row[0])
    return min(row[0], missed - timedelta(days=1)) if missed else row[0]


def days_to_read_again(source: Source, connection_id: str) -> int:
    """The number of days before its own that a scheduled run reads of a connection, from what its reads have shown."""
    with warehouse.connect("loader") as connection:
        return restatement.days_to_read_again(source, restatement.measure(connection, source, connection_id))
