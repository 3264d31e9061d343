"""Replacement: exports that their manifest declares complete (`replace: whole` or `replace: window`).

A complete export has all rows of its stream, or all rows of its days. Stored rows in its range that are earlier in the
order of files and that it lacks are retracted (FIL-8). A row that could not be read still counts as present and stays
unchanged. Of two complete exports the later one in the order of files counts, whichever is loaded first; rows that only
the earlier one holds are retracted again in the load that brings them.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from funnel.contract import Stream
from funnel.inbox.catalogue import ENTITIES
from funnel.inbox.entities import WINDOW_DATES, day_name
from funnel.ingest import removals
from funnel.ingest.landing import LandedRead
from funnel.ingest.raw_tables import Loading
from funnel.ingest.removals import Rows


@dataclass
class Export:
    """One complete export of a load. `kept` are the keys of its unreadable rows; None if the key of one
    is unreadable.
    """

    file: dict[str, Any]
    order: str
    rows: str
    time_zone: str
    kept: list[str] | None = field(default_factory=list)
    first_day: date | None = None
    last_day: date | None = None

    def note(self, text: str) -> None:
        """Add a note to the file's result."""
        self.file.setdefault("notes", []).append(text)


def find_days(
    connection: psycopg.Connection[Any], stream: Stream, table: sql.Identifier, exports: list[Export]
) -> None:
    """Set the first and last day of each export from its copied rows."""
    for export in exports:
        if export.rows == "window":
            day = _day(stream, "stored", sql.Literal(export.time_zone))
            row = connection.execute(
                sql.SQL("select min({day}), max({day}) from {table} as stored where _file_order = {order}").format(
                    day=day, table=table, order=sql.Literal(export.order)
                )
            ).fetchone()
            export.first_day, export.last_day = row or (None, None)


def retract(loading: Loading, exports: list[Export]) -> int:
    """Remove rows that complete exports, of this load or earlier ones, no longer contain; returns the
    number of rows.
    """
    removed = 0
    for export in exports:
        if reason := _why_not(export):
            export.note(f"nothing was retracted: {reason}")
            continue
        reason = f"{export.file['path']}: replace: {export.rows}"
        vanished = _remove(loading, _vanished(loading.stream, loading.landed, export), reason)
        if vanished:
            export.note(f"{vanished} rows that the export no longer holds were retracted (replace: {export.rows})")
        removed += vanished
    return removed + _retract_late_rows(loading)


def _remove(loading: Loading, where: sql.Composable, reason: str) -> int:
    rows = Rows(loading.source, loading.stream, loading.landed.connection_id, where)
    return removals.remove_rows(loading.connection, rows, reason, loading.load_id)


def record(connection: psycopg.Connection[Any], load_id: int, exports: list[Export]) -> None:
    """Record the range of each complete export in the file's row of ops.files."""
    for export in exports:
        if _why_not(export) is None:
            connection.execute(
                """
                update ops.files
                set replaces = %s, file_order = %s, time_zone = %s, replaced_from = %s, replaced_to = %s
                where load_id = %s and path = %s
                """,
                (
                    *(export.rows, export.order, export.time_zone, export.first_day, export.last_day),
                    *(load_id, export.file["path"]),
                ),
            )


def _why_not(export: Export) -> str | None:
    """The reason why an export says nothing about rows that it does not contain."""
    if not export.file["rows_loaded"]:
        return "the export holds no row that could be read"
    if export.kept is None:
        return "an unreadable row hides its key, so that it is not known which rows are gone"
    if export.rows == "window" and export.first_day is None:
        return "no row of the export has a day"
    return None


def _vanished(stream: Stream, landed: LandedRead, export: Export) -> sql.Composable:
    """The rows in the range of an export that precede it in the order of files: rows that it contains were just stored
    as its own.
    """
    older = sql.SQL(
        "(stored._file_order, stored._fetched_at) < ({order}, {fetched_at}) and stored.row_key <> all({kept}::text[])"
    ).format(order=export.order, fetched_at=landed.fetched_at, kept=sql.Literal(export.kept or []))
    if export.rows == "whole":
        return older
    return sql.SQL("{older} and {day} between {first} and {last}").format(
        older=older,
        day=_day(stream, "stored", sql.Literal(export.time_zone)),
        first=sql.Literal(export.first_day),
        last=sql.Literal(export.last_day),
    )


def _retract_late_rows(loading: Loading) -> int:
    """Remove rows of this load that an already loaded, later complete export does not contain."""
    connection, stream, landed, load_id = loading.connection, loading.stream, loading.landed, loading.load_id
    covering = sql.SQL(
        """
        stored._load_id = {load_id} and exists (
            select
            from (
                select distinct on (path) *
                from ops.files
                where source = {source} and connection_id = {connection_id} and stream = {stream}
                    and status = 'loaded' and load_id <> {load_id}
                order by path, fetched_at desc, load_id desc
            ) as complete
            where complete.replaces is not null
                and (complete.file_order, complete.fetched_at) > (stored._file_order, stored._fetched_at)
                and (complete.replaces = 'whole' or {day} between complete.replaced_from and complete.replaced_to)
        )
        """
    ).format(
        load_id=load_id,
        source=landed.source,
        connection_id=landed.connection_id,
        stream=stream.name,
        day=_day(stream, "stored", sql.SQL("complete.time_zone")),
    )
    known = connection.execute(
        "select exists (select from ops.files where source = %s and connection_id = %s and stream = %s "
        "and replaces is not null)",
        (landed.source, landed.connection_id, stream.name),
    ).fetchone()
    if not known or not known[0]:
        return 0
    return _remove(loading, covering, "a later complete export does not hold them")


def _day(stream: Stream, row: str, time_zone: sql.Composable) -> sql.Composable:
    """The day of a row by the main date of its entity, in the manifest's time zone; null for entities without one."""
    entity = ENTITIES[stream.name]
    days: list[sql.Composable] = []
    for name in WINDOW_DATES.get(stream.name, ()):
        if entity.field(name).kind == "moment":
            days.append(
                sql.SQL("({} at time zone {})::date").format(sql.Identifier(row, name), time_zone),
            )
            days.append(sql.Identifier(row, day_name(name)))
        else:
            days.append(sql.Identifier(row, name))
    return sql.SQL("coalesce({})").format(sql.SQL(", ").join(days)) if days else sql.SQL("null::date")
