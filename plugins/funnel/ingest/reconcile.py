"""Reconciling: finds records that a vendor deleted silently by a listing of its ids, and marks them (ING-16).

A listing is landed and loaded like any other read. The newest statement about a record counts, whether from a read or a
listing: a row that is older than a listing and absent from it is marked (`_removed_at`) and stays in `raw`; staging
treats it as deleted. A record that is read or listed later counts again. The result depends on which reads were loaded,
not on their order: after a read that is older than a listing, that listing is applied once more.

A record that was merged into another one vanishes too, but counts as its survivor: it is never marked.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import orjson
import psycopg
from psycopg import sql

from funnel import warehouse
from funnel.contract import LISTING, Connection, Source, Stream, Window, raw_table
from funnel.ingest import landing, privacy, reduced_bodies, tombstones
from funnel.ingest.errors import SuspiciousListing
from funnel.ingest.landing import LandedRead

REMOVED_AT = ("_removed_at", "timestamptz")


@dataclass(frozen=True)
class Compared:
    """The result of comparing a listing with the stored records."""

    ids_listed: int = 0
    rows_compared: int = 0
    rows_removed: int = 0
    rows_returned: int = 0
    since: datetime | None = None


def due(source: Source, connection: Connection, moment: datetime) -> list[Stream]:
    """Streams whose last listing, or else first load, is older than the setting allows."""
    found = []
    with warehouse.connect("loader") as database:
        for stream in source.streams:
            default = stream.reconcile.days if stream.reconcile else 0
            if stream.reconcile and (days := connection.days("reconcile_days", stream, default)):
                last = _last_listing(database, source, connection.connection_id, stream)
                if last is not None and moment - last >= timedelta(days=days):
                    found.append(stream)
    return found


def as_read(source: Source, stream: Stream) -> tuple[Source, Stream]:
    """The source and stream for `landing.land` to read the ids of a stream instead of its records.

    Raises ValueError if the source has no `list_ids`.
    """
    list_ids = source.list_ids
    if list_ids is None:
        raise ValueError(f"Source {source.name} has no list_ids, which stream {stream.name} needs.")

    def fetch(connection: Connection, _: Stream, window: Window) -> Iterator[bytes]:
        at_least = connection.extra.get("reconcile_at_least")
        for body in list_ids(connection, stream, window):
            yield body if at_least is None else orjson.dumps({**orjson.loads(body), "at_least": float(at_least)})

    return replace(source, fetch=fetch), replace(stream, name=stream.name + LISTING)


def is_listing(path: str) -> bool:
    """True if a landed read of this path is a listing: <source>/<connection>/<stream>/…."""
    return path.split("/")[2].endswith(LISTING)


def load_into(connection: psycopg.Connection[Any], source: Source, landed: LandedRead) -> tuple[int, Compared, bool]:
    """Compare one landed listing with the stored records, in the transaction of the load.

    Returns its load id, the result, and true if it was not loaded before. The raw table must exist, and the caller must
    hold the locks of a load. Raises SuspiciousListing before anything is marked.
    """
    stream = source.stream(landed.stream)
    known = connection.execute(
        """
        select load_id, ids_listed, rows_compared, rows_removed, rows_returned, since
        from ops.listings where landing = %s
        """,
        (landed.path,),
    ).fetchone()
    if known:
        return known[0], Compared(*known[1:]), False
    load_id = next_load_id(connection)
    result = _apply(connection, source, stream, landed, load_id, is_first=True)
    connection.execute(
        """
        insert into ops.listings (
            load_id, source, connection_id, stream, taken_at, since, ids_listed, rows_compared, rows_removed,
            rows_returned, run_id, landing
        )
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            load_id,
            source.name,
            landed.connection_id,
            stream.name,
            landed.fetched_at,
            result.since,
            result.ids_listed,
            result.rows_compared,
            result.rows_removed,
            result.rows_returned,
            landed.run_id,
            landed.path,
        ),
    )
    apply_newer(connection, source, stream, landed, load_id)
    return load_id, result, True


def apply_newer(
    connection: psycopg.Connection[Any], source: Source, stream: Stream, landed: LandedRead, load_id: int
) -> None:
    """Apply listings again that are newer than a read or listing that was loaded after them."""
    if not stream.reconcile:
        return
    newer = connection.execute(
        """
        select landing from ops.listings
        where source = %s and connection_id = %s and stream = %s and taken_at > %s order by taken_at
        """,
        (source.name, landed.connection_id, stream.name, landed.fetched_at),
    ).fetchall()
    for (path,) in newer:
        _apply(connection, source, stream, landing.read_manifest(path), load_id, is_first=False)


def unmark_merged(
    connection: psycopg.Connection[Any], source: Source, stream: Stream, incoming: sql.Identifier, load_id: int
) -> None:
    """Remove the mark from records that a survivor, loaded just now, names as merged into it."""
    if not (stream.merged_ids and stream.reconcile):
        return
    connection.execute(
        sql.SQL(
            """
            update {table} as stored set _removed_at = null, _load_id = {load_id}
            from {incoming} as survivors
            where stored._removed_at is not null and stored._connection_id = survivors._connection_id
                and survivors.{merged_ids} is not null
                and stored.{key} = any(string_to_array(replace(survivors.{merged_ids}, ' ', ''), ';'))
            """
        ).format(incoming=incoming, load_id=sql.Literal(load_id), **_names(source, stream))
    )


def next_load_id(connection: psycopg.Connection[Any]) -> int:
    """The next load id, which builds use to find new loads."""
    row = connection.execute("select nextval(pg_get_serial_sequence('ops.loads', 'load_id'))").fetchone()
    return int(row[0]) if row else 0


def _last_listing(
    database: psycopg.Connection[Any], source: Source, connection_id: str, stream: Stream
) -> datetime | None:
    """The time of the last listing of a stream; else of its first load, which contained all records."""
    row = database.execute(
        """
        select coalesce(
            (
                select max(taken_at) from ops.listings
                where source = %(source)s and connection_id = %(connection_id)s and stream = %(stream)s
            ),
            (
                select min(fetched_at) from ops.loads
                where source = %(source)s and connection_id = %(connection_id)s and stream = %(stream)s
            )
        )
        """,
        {"source": source.name, "connection_id": connection_id, "stream": stream.name},
    ).fetchone()
    return row[0] if row else None


def _names(source: Source, stream: Stream) -> dict[str, sql.Composable]:
    """The parts of a statement that depend on the stream. `merged` is true for rows that a survivor names."""
    table, key = sql.Identifier("raw", raw_table(source, stream)), sql.Identifier(stream.key[0])
    merged_ids = sql.Identifier(stream.merged_ids or stream.key[0])
    merged: sql.Composable = sql.SQL("false")
    if stream.merged_ids:
        merged = sql.SQL(
            "stored.{key} in (select unnest(string_to_array(replace({merged_ids}, ' ', ''), ';')) from {table} "
            "where {merged_ids} is not null)"
        ).format(table=table, key=key, merged_ids=merged_ids)
    removed = sql.SQL("coalesce(stored.{}, false)").format(sql.Identifier(stream.removed)) if stream.removed else None
    return {
        "table": table,
        "key": key,
        "merged_ids": merged_ids,
        "merged": merged,
        "removed": removed or sql.SQL("false"),
    }


def _copy_ids(
    connection: psycopg.Connection[Any], source: Source, landed: LandedRead
) -> tuple[int, datetime | None, float | None]:
    """Copy the ids of a listing into the table `listed`; returns their number, the listing's start and the share it
    must contain.
    """
    connection.execute("drop table if exists pg_temp.listed")
    connection.execute("create temporary table listed (record_id text) on commit drop")
    since, at_least, bodies = None, None, 0
    forgotten = tombstones.read(connection, privacy.person_key_secret())
    reduce = reduced_bodies.of_read(source, landed.connection_id, landed.stream, forgotten)
    with connection.cursor() as cursor, cursor.copy("copy pg_temp.listed from stdin") as copy:
        for body in map(reduce, landed.bodies()):
            parsed, bodies = orjson.loads(body), bodies + 1
            since, at_least = parsed["since"], parsed.get("at_least")
            for record_id in parsed["ids"]:
                copy.write_row((record_id,))
    connection.execute("analyze pg_temp.listed")
    row = connection.execute("select count(distinct record_id) from pg_temp.listed").fetchone()
    # A stream that the connection leaves out has no body, and nothing of it is compared.
    return (int(row[0]) if row and bodies else -1), datetime.fromisoformat(since) if since else None, at_least


def _apply(
    connection: psycopg.Connection[Any],
    source: Source,
    stream: Stream,
    landed: LandedRead,
    load_id: int,
    *,
    is_first: bool,
) -> Compared:
    """Mark records that are absent from a listing and older than it; remove the mark from those that it contains."""
    ids_listed, since, at_least = _copy_ids(connection, source, landed)
    if ids_listed < 0 or stream.reconcile is None:
        return Compared()
    parts: dict[str, sql.Composable] = {
        **_names(source, stream),
        "connection": sql.Literal(landed.connection_id),
        "taken_at": sql.Literal(landed.fetched_at),
        "load_id": sql.Literal(load_id),
        "reach": sql.SQL("true"),
        "absent": sql.SQL("not exists (select from pg_temp.listed where record_id = stored.{})").format(
            sql.Identifier(stream.key[0])
        ),
    }
    if since:
        column = sql.Identifier(stream.reconcile.since or "")
        parts["reach"] = sql.SQL("stored.{} >= {}").format(column, sql.Literal(since))
    comparable = sql.SQL(
        "stored._connection_id = {connection} and stored._fetched_at < {taken_at} and not {removed} and {reach} "
        "and (stored._removed_at is null or stored._removed_at > {taken_at}) and not {merged}"
    ).format(**parts)
    counted = connection.execute(
        sql.SQL("select count(*), count(*) filter (where {absent}) from {table} as stored where {comparable}").format(
            comparable=comparable, **parts
        )
    ).fetchone()
    compared, absent = counted if counted else (0, 0)
    if is_first:
        _refuse_suspicious(source, stream, landed, compared, absent, at_least)
    removed = connection.execute(
        sql.SQL(
            "update {table} as stored set _removed_at = {taken_at}, _load_id = {load_id} "
            "where {comparable} and {absent}"
        ).format(comparable=comparable, **parts)
    ).rowcount
    returned = connection.execute(
        sql.SQL(
            "update {table} as stored set _removed_at = null, _load_id = {load_id} "
            "where stored._connection_id = {connection} and stored._removed_at <= {taken_at} and not ({absent})"
        ).format(**parts)
    ).rowcount
    return Compared(ids_listed, compared, removed, returned, since)


def _refuse_suspicious(
    source: Source, stream: Stream, landed: LandedRead, compared: int, absent: int, at_least: float | None
) -> None:
    share = at_least if at_least is not None else stream.reconcile.at_least if stream.reconcile else 0.0
    if compared - absent >= share * compared:
        return
    raise SuspiciousListing(
        f"The listing of {source.name}.{stream.name} for {landed.connection_id}, taken at "
        f"{landed.fetched_at:%Y-%m-%d %H:%M} UTC, holds {compared - absent} of {compared} stored records, less than "
        f"{share:.0%}. Nothing was marked as removed. Check at the vendor whether {absent} records are gone. If they "
        f"are not, check what the login may see and run ingest__{source.name} again. If they are, put a smaller "
        f"share into `reconcile_at_least` in the extra of connection {landed.connection_id} and run it again. "
        f"Landed: {landed.path}."
    )
