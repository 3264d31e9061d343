"""Loading: one landed read into `raw`, in one transaction, with its row in the ledger.

A dated stream's read replaces its days, of the accounts that it read: rows that differ are replaced, rows that vanished
are retracted, equal rows stay unchanged. A changed stream's read is upserted: the newest (modified, fetched_at) wins.
Either way the result depends on which reads were loaded, not on their order or number, and `_load_id` names the load
that last changed a row. Unreadable rows go to quarantine. The expectations decide whether the data may be published.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from funnel import ledger, settings, warehouse
from funnel.contract import LISTING, Source, Stream, Window, raw_table
from funnel.ingest import (
    accounts,
    changed,
    dated,
    file_merging,
    first_read,
    home_currency,
    json_rows,
    notes,
    privacy,
    quarantine,
    reconcile,
    reduced_bodies,
    replacement,
    tombstones,
    versions,
)
from funnel.ingest.copying import copy_read
from funnel.ingest.errors import ListingRefused, LoadError, SuspiciousListing
from funnel.ingest.landing import LandedRead
from funnel.ingest.raw_tables import Loading, drop_duplicates, ensure_table, lock_stream, system_columns
from funnel.sources import SOURCES


@dataclass(frozen=True)
class LoadResult:
    """The result of one load. rows_read = rows_loaded + rows_quarantined + rows_merged.

    `is_new` is false if the read was loaded before.

    For an inbox, `columns` are the raw columns that the read's files fill, `files` the result of each file.
    """

    load_id: int
    source: str
    connection_id: str
    stream: str
    window: Window
    rows_read: int
    rows_loaded: int
    rows_quarantined: int
    rows_retracted: int
    rows_superseded: int
    rows_duplicated: int
    new_fields: tuple[str, ...]
    is_new: bool = True
    # Rows of files that were added to another row with the same key, or only repeated it.
    rows_merged: int = 0
    columns: frozenset[str] = frozenset()
    files: tuple[dict[str, Any], ...] = ()
    # (column, what was done, number of values) of repaired or omitted values.
    noted: tuple[tuple[str, str, int], ...] = ()


def load(landed: LandedRead) -> LoadResult:
    """Load one complete read. Loading the same read again changes nothing and returns the first result.

    Raises LoadError if the person key is not the one this warehouse was loaded with.
    """
    with warehouse.connect("loader") as connection, connection.transaction():
        return load_into(connection, landed)


def load_into(connection: psycopg.Connection[Any], landed: LandedRead) -> LoadResult:
    """Like `load`, in an open transaction that may do more."""
    source = SOURCES[landed.source]
    stream = source.stream(landed.stream)
    # Of the same clock as the end.
    started_at = _scalar(connection, "select clock_timestamp()")
    # Builds wait for loads and loads for builds; only one load at a time writes a stream. The order of the locks
    # matters: a transaction of several streams must not wait for a load that waits for a build.
    connection.execute("select pg_advisory_xact_lock_shared(%s)", (ledger.BUILD_LOCK,))
    lock_stream(connection, source, stream)
    connection.execute("set local temp_buffers = '128MB'; set local work_mem = '64MB'")
    if done := _loaded_before(connection, landed):
        return done
    if landed.stream.endswith(LISTING):
        return _load_listing(connection, source, stream, landed)
    secret = privacy.person_key_secret()
    _refuse_other_key(connection, secret)
    target = ensure_table(connection, source, stream)
    load_id = _scalar(connection, "select nextval(pg_get_serial_sequence('ops.loads', 'load_id'))")
    reduce = reduced_bodies.of_read(source, landed.connection_id, stream.name, tombstones.read(connection, secret))
    loading = Loading(connection, source, stream, target, landed, load_id, secret, reduce)
    taken = _take_in(loading)
    result = _result(loading, taken)
    quarantine.write(loading, taken.read.read, taken.tally)
    _record(connection, landed, result, taken.read, taken.tally.conflicts, started_at)
    accounts.note(connection, stream, landed, taken.read)
    notes.note_values(connection, load_id, result.noted)
    notes.note_files(connection, landed, load_id, taken.tally.files)
    file_merging.record(connection, load_id, taken.tally.files)
    replacement.record(connection, load_id, taken.tally.exports)
    connection.execute(sql.SQL("drop table {}").format(target.incoming))
    return result


@dataclass
class _Taken:
    """The rows of a read, which are in `incoming` or already in the raw table, and their counts."""

    tally: json_rows.Tally
    read: accounts.Accounts
    incoming: sql.Identifier
    superseded: int = 0
    retracted: int = 0
    duplicated: int = 0


def _take_in(loading: Loading) -> _Taken:
    """Bring the rows of a read into its raw table, in the fastest way that they allow."""
    connection, source, stream, landed = loading.connection, loading.source, loading.stream, loading.landed
    table = loading.target.table
    tally = first_read.fill(loading)
    if tally:
        read = accounts.of_read(connection, stream, landed, table=table, incoming=table, tally=tally)
        taken = _Taken(tally, read, table)
        if stream.kind == "dated":
            accounts.note_days(connection, landed, loading.load_id, read)
    elif stream.kind == "dated" and (rewritten := dated.rewrite(loading)):
        tally, read, retracted = rewritten
        taken = _Taken(tally, read, loading.target.incoming, retracted=retracted)
    else:
        taken = _take_incoming(loading)
    home_currency.fill_older(loading)
    reconcile.unmark_merged(connection, source, stream, taken.incoming, loading.load_id)
    reconcile.apply_newer(connection, source, stream, landed, loading.load_id)
    if loading.is_of_files:
        taken.retracted = replacement.retract(loading, taken.tally.exports)
    return taken


def _take_incoming(loading: Loading) -> _Taken:
    """Copy a read into a temporary table, and transfer the rows that are new or differ."""
    connection, stream, landed, target = loading.connection, loading.stream, loading.landed, loading.target
    tally = copy_read(loading, target.incoming)
    accounts.set_aside(connection, stream, landed, target.incoming, loading.secret, tally)
    home_currency.fill(connection, stream, target.incoming, landed.currency)
    files = file_merging.writers(connection, landed, tally.files, target.content)
    is_merged = file_merging.differ(files[1])
    # For a dated stream they are found when its rows are counted.
    is_settled = is_merged or stream.kind == "dated"
    duplicated = 0 if is_settled else drop_duplicates(connection, stream, target)
    read = accounts.of_read(connection, stream, landed, table=target.table, incoming=target.incoming, tally=tally)
    taken = _Taken(tally, read, target.incoming, duplicated=duplicated)
    if stream.kind == "dated":
        taken.superseded, taken.retracted, taken.duplicated = dated.replace_days(loading, read, tally)
    elif stream.keep_versions:
        versions.append(loading)
    elif is_merged:
        taken.superseded = file_merging.merge(
            connection, target.table, target.incoming, target.columns, target.key, *files
        )
    else:
        taken.superseded = changed.upsert(loading)
    return taken


def _result(loading: Loading, taken: _Taken) -> LoadResult:
    landed, tally = loading.landed, taken.tally
    merged = sum(file.get("rows_merged", 0) for file in tally.files if file["status"] == "loaded")
    return LoadResult(
        load_id=loading.load_id,
        source=landed.source,
        connection_id=landed.connection_id,
        stream=landed.stream,
        window=landed.window,
        rows_read=tally.readable + tally.quarantined + merged,
        rows_merged=merged,
        rows_loaded=tally.readable,
        rows_quarantined=tally.quarantined,
        rows_retracted=taken.retracted,
        rows_superseded=taken.superseded,
        rows_duplicated=taken.duplicated,
        new_fields=tuple(sorted(tally.new_fields)),
        columns=frozenset(tally.columns),
        files=tuple(tally.files),
        noted=tuple((column, what, values) for (column, what), values in sorted(tally.noted.items())),
    )


def _load_listing(
    connection: psycopg.Connection[Any], source: Source, stream: Stream, landed: LandedRead
) -> LoadResult:
    """Compare a listing of ids with the stored records and mark the missing ones as removed, see `ingest.reconcile`."""
    ensure_table(connection, source, stream)
    try:
        load_id, compared, is_new = reconcile.load_into(connection, source, landed)
    except SuspiciousListing as error:
        raise ListingRefused(str(error)) from None
    return LoadResult(
        load_id=load_id,
        source=source.name,
        connection_id=landed.connection_id,
        stream=landed.stream,
        window=landed.window,
        rows_read=compared.ids_listed,
        rows_loaded=compared.ids_listed,
        rows_quarantined=0,
        rows_retracted=compared.rows_removed,
        rows_superseded=0,
        rows_duplicated=0,
        new_fields=(),
        is_new=is_new,
    )


def prepare(source: Source) -> None:
    """Create what several transactions would wait for each other to create: the person key, the tables. Commits.

    Raises LoadError if the person key is not the one this warehouse was loaded with.
    """
    with warehouse.connect("loader") as connection, connection.transaction():
        _refuse_other_key(connection, privacy.person_key_secret())
    create_tables([source])


def create_tables(sources: Iterable[Source] = tuple(SOURCES.values())) -> None:
    """Create declared tables and columns that were never loaded: otherwise the build would fail without them."""
    with warehouse.connect("loader") as connection:
        stored: dict[str, set[str]] = {}
        with connection.transaction():
            for table, column in connection.execute(
                "select table_name, column_name from information_schema.columns where table_schema = 'raw'"
            ):
                stored.setdefault(table, set()).add(column)
        for source, stream in ((each, stream) for each in sources for stream in each.streams):
            declared = {name for name, _ in (*json_rows.raw_columns(stream), *system_columns(stream))}
            if declared - stored.get(raw_table(source, stream), set()):
                # A load may be creating the table: it holds this lock, and its table is visible afterwards.
                with connection.transaction():
                    lock_stream(connection, source, stream)
                    ensure_table(connection, source, stream)


def _scalar(connection: psycopg.Connection[Any], query: Any, parameters: Any = None) -> Any:
    row = connection.execute(query, parameters).fetchone()
    return row[0] if row else None


def _loaded_before(connection: psycopg.Connection[Any], landed: LandedRead) -> LoadResult | None:
    cursor = connection.cursor(row_factory=dict_row)
    row = cursor.execute(
        """
        select
            load_id, rows_read, rows_loaded, rows_quarantined, rows_merged, rows_retracted, rows_superseded,
            rows_duplicated, new_fields
        from ops.loads
        where landing = %s
        """,
        (landed.path,),
    ).fetchone()
    if row is None:
        return None
    row["new_fields"] = tuple(row["new_fields"])
    return LoadResult(
        source=landed.source,
        connection_id=landed.connection_id,
        stream=landed.stream,
        window=landed.window,
        is_new=False,
        **row,
    )


def _refuse_other_key(connection: psycopg.Connection[Any], secret: bytes) -> None:
    ours = privacy.fingerprint(secret)
    connection.execute(
        "insert into ops.installation (person_key_fingerprint) values (%s) on conflict (only_row) do nothing", (ours,)
    )
    stored = _scalar(connection, "select person_key_fingerprint from ops.installation")
    if stored != ours:
        raise LoadError(
            f"PERSON_KEY_SECRET changed: this warehouse was loaded with the key of fingerprint {stored}, not {ours}. "
            "Every person would get a second identity. Restore the old key; `make rotate-person-key` replaces it."
        )


def _record(
    connection: psycopg.Connection[Any],
    landed: LandedRead,
    result: LoadResult,
    read: accounts.Accounts,
    conflicts: json_rows.Conflicts,
    started_at: datetime,
) -> None:
    connection.execute(
        """
        insert into ops.loads (
            load_id, source, connection_id, stream, window_from, window_to, rows_read, rows_loaded, rows_quarantined,
            rows_retracted, rows_superseded, rows_duplicated, bytes, new_fields, fetched_at, started_at, finished_at,
            run_id, landing, code_version, rows_merged, body_hashes, values_noted, accounts, refused,
            rows_conflicting, conflicts
        )
        overriding system value
        values (
            %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp(),
            %s, %s, %s, %s, %s, %s, %s, %s, %s, %s
        )
        """,
        (
            result.load_id,
            landed.source,
            landed.connection_id,
            landed.stream,
            landed.window.from_day,
            landed.window.to_day,
            result.rows_read,
            result.rows_loaded,
            result.rows_quarantined,
            result.rows_retracted,
            result.rows_superseded,
            result.rows_duplicated,
            landed.size,
            list(result.new_fields),
            landed.fetched_at,
            started_at,
            landed.run_id,
            landed.path,
            settings.read().code_version,
            result.rows_merged,
            landed.hashes,
            sum(values for _, _, values in result.noted),
            None if read.read is None else list(read.read),
            json.dumps(read.refused),
            conflicts.keys,
            json.dumps(conflicts.first),
        ),
    )
