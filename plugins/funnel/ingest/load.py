"""Loading: one landed read into `raw`, in one transaction, with its row in the ledger.

A dated stream's read replaces its days, of the accounts that it read: rows that differ are replaced, rows that vanished
are retracted, rows that are the same are left alone. A changed stream's read is upserted: the newest (modified,
fetched_at) wins. Either way the result depends on which reads were loaded, not on their order or number, and `_load_id`
says which load last changed a row. Unreadable rows go to quarantine. Whether the data may be published is not decided
here but by the expectations.
"""

import itertools
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from funnel import ledger, settings, warehouse
from funnel.contract import LISTING, Source, Stream, Window, raw_table
from funnel.errors import Failure
from funnel.inbox.blocks import ahead
from funnel.ingest import (
    accounts,
    arrow_rows,
    copying,
    errors,
    home_currency,
    json_rows,
    merging,
    notes,
    privacy,
    reconcile,
    replaced_days,
    replacement,
)
from funnel.ingest.landing import LandedRead, LandingError
from funnel.ingest.raw_tables import Target, create_index_of_loads, create_indexes, drop_duplicates, drop_indexes
from funnel.ingest.replaced_days import scope
from funnel.rest.errors import BodyError
from funnel.sources import SOURCES

log = logging.getLogger(__name__)

_SYSTEM_COLUMNS = (
    ("_extra", "jsonb"),
    ("_connection_id", "text"),
    ("_load_id", "bigint"),
    ("_fetched_at", "timestamptz"),
)


# Bytes of bodies from which on a first read is copied into its table without indexes, which are made at the end.
WORTH_FILLING = 1_000_000


class LoadError(Failure):
    """A read cannot be loaded at all; nothing of it was. The message says why and what to do."""

    is_permanent = True


class ListingRefused(LoadError):
    """A listing of ids lacks so many stored records that it is not used. The message has the figures."""


@dataclass(frozen=True)
class LoadResult:
    """What one load did. rows_read = rows_loaded + rows_quarantined + rows_merged.

    `is_new` is false when it was loaded before.

    Of an inbox, `columns` are those of the raw table that the read's files fill, `files` what became of each.
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
    # Rows of files that were added to another row of the same key, or that only repeated it.
    rows_merged: int = 0
    columns: frozenset[str] = frozenset()
    files: tuple[dict[str, Any], ...] = ()
    # (column, what was done, how many values) of values that were repaired or left out.
    noted: tuple[tuple[str, str, int], ...] = ()


def load(landed: LandedRead) -> LoadResult:
    """Load one complete read. Loading the same read again is a no-op that returns what the first time did.

    Raises LoadError when the person key is not the one this warehouse was loaded with.
    """
    with warehouse.connect("loader") as connection, connection.transaction():
        return load_into(connection, landed)


def load_into(connection: psycopg.Connection[Any], landed: LandedRead) -> LoadResult:
    """As `load`, in a transaction that is open and may hold more."""
    source = SOURCES[landed.source]
    stream = source.stream(landed.stream)
    started_at = datetime.now(UTC)
    # Builds wait for loads and loads for builds; one stream is loaded by one at a time. In this order: a transaction of
    # several streams must not wait for a load that waits behind a build.
    connection.execute("select pg_advisory_xact_lock_shared(%s)", (ledger.BUILD_LOCK,))
    _lock_stream(connection, source, stream)
    connection.execute("set local temp_buffers = '128MB'; set local work_mem = '64MB'")
    if done := _loaded_before(connection, landed):
        return done
    if landed.stream.endswith(LISTING):
        return _load_listing(connection, source, stream, landed)
    secret = privacy.person_key_secret()
    _refuse_other_key(connection, secret)
    target = _ensure_table(connection, source, stream)
    load_id = _scalar(connection, "select nextval(pg_get_serial_sequence('ops.loads', 'load_id'))")
    copy = partial(_copy_read, connection, source, stream, target, landed, load_id, secret)
    filled = _fill(connection, source, stream, target, landed, load_id, secret)
    rewritten = None
    if filled is None and stream.kind == "dated":
        rewritten = replaced_days.rewrite(connection, stream, target, landed, load_id, secret, copy)
    if filled is None and rewritten is None:
        tally = copy(target.incoming)
        accounts.set_aside(connection, stream, landed, target.incoming, secret, tally)
        home_currency.fill(connection, stream, target.incoming, landed.currency)
        files = merging.writers(connection, landed, tally.files, target.content)
        is_merged = merging.differ(files[1])
        # Of a dated stream they are found when its rows are counted.
        is_settled = is_merged or stream.kind == "dated"
        duplicated = 0 if is_settled else drop_duplicates(connection, stream, target)
    incoming = target.incoming if filled is None else target.table
    if rewritten:
        tally, read, retracted = rewritten
        duplicated = superseded = 0
    else:
        tally = filled or tally
        read = accounts.of_read(connection, stream, landed, table=target.table, incoming=incoming, tally=tally)
    if rewritten:
        pass
    elif filled is not None:
        duplicated, superseded, retracted = 0, 0, 0
        if stream.kind == "dated":
            accounts.note_days(connection, landed, load_id, read)
    elif stream.kind == "dated":
        superseded, retracted, duplicated = replaced_days.replace_days(
            connection, stream, target, landed, load_id, read, tally
        )
    elif stream.keep_versions:
        superseded, retracted = _append_versions(connection, stream, target, landed), 0
    elif is_merged:
        superseded = merging.merge(connection, target.table, target.incoming, target.columns, target.key, *files)
        retracted = 0
    else:
        superseded, retracted = _upsert(connection, stream, target), 0
    home_currency.fill_older(connection, stream, target.table, landed, load_id)
    reconcile.unmark_merged(connection, source, stream, incoming, load_id)
    reconcile.apply_newer(connection, source, stream, landed, load_id)
    if source.is_inbox:
        retracted = replacement.retract(connection, source, stream, landed, load_id, tally.exports)
    merged = sum(file.get("rows_merged", 0) for file in tally.files if file["status"] == "loaded")
    result = LoadResult(
        load_id=load_id,
        source=source.name,
        connection_id=landed.connection_id,
        stream=stream.name,
        window=landed.window,
        rows_read=tally.readable + tally.quarantined + merged,
        rows_merged=merged,
        rows_loaded=tally.readable,
        rows_quarantined=tally.quarantined,
        rows_retracted=retracted,
        rows_superseded=superseded,
        rows_duplicated=duplicated,
        new_fields=tuple(sorted(tally.new_fields)),
        columns=frozenset(tally.columns),
        files=tuple(tally.files),
        noted=tuple((column, what, values) for (column, what), values in sorted(tally.noted.items())),
    )
    _quarantine(connection, stream, landed, load_id, read.read, tally)
    _record(connection, landed, result, read, tally.conflicts, started_at)
    accounts.note(connection, stream, landed, read)
    notes.note_values(connection, load_id, result.noted)
    notes.note_files(connection, landed, load_id, tally.files)
    merging.record(connection, load_id, tally.files)
    replacement.record(connection, load_id, tally.exports)
    connection.execute(sql.SQL("drop table {}").format(target.incoming))
    return result


def _load_listing(
    connection: psycopg.Connection[Any], source: Source, stream: Stream, landed: LandedRead
) -> LoadResult:
    """Compare a listing of ids with the stored records; what it lacks is marked as removed, see `ingest.reconcile`."""
    _ensure_table(connection, source, stream)
    try:
        load_id, compared, is_new = reconcile.load_into(connection, source, landed)
    except errors.SuspiciousListing as error:
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
    """Commit what transactions of several streams would wait for from one another: the person key, the tables.

    Raises LoadError when the person key is not the one this warehouse was loaded with.
    """
    with warehouse.connect("loader") as connection, connection.transaction():
        _refuse_other_key(connection, privacy.person_key_secret())
    create_tables([source])


def create_tables(sources: Iterable[Source] = tuple(SOURCES.values())) -> None:
    """Create tables and columns that were declared and never loaded: the marts are built without them, not refused."""
    with warehouse.connect("loader") as connection:
        stored: dict[str, set[str]] = {}
        with connection.transaction():
            for table, column in connection.execute(
                "select table_name, column_name from information_schema.columns where table_schema = 'raw'"
            ):
                stored.setdefault(table, set()).add(column)
        for source, stream in ((each, stream) for each in sources for stream in each.streams):
            declared = {name for name, _ in (*json_rows.raw_columns(stream), *_system_columns(stream))}
            if declared - stored.get(raw_table(source, stream), set()):
                # A load may be creating it: it holds this lock, and what it made is found then.
                with connection.transaction():
                    _lock_stream(connection, source, stream)
                    _ensure_table(connection, source, stream)


def _system_columns(stream: Stream) -> tuple[tuple[str, str], ...]:
    return (*_SYSTEM_COLUMNS, reconcile.REMOVED_AT) if stream.reconcile else _SYSTEM_COLUMNS


def _lock_stream(connection: psycopg.Connection[Any], source: Source, stream: Stream) -> None:
    """One stream is loaded, or has its table made, by one at a time; until the transaction ends."""
    connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (raw_table(source, stream),))


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
            "Every person would get a second identity. Restore the old key, or load a new warehouse from landed files."
        )


def _ensure_table(connection: psycopg.Connection[Any], source: Source, stream: Stream) -> Target:
    """Create the raw table, or add columns that were declared since; columns are never dropped or retyped."""
    name = raw_table(source, stream)
    columns = (*json_rows.raw_columns(stream), *_SYSTEM_COLUMNS)
    # Days come in order: a key that begins with the day is appended to, not scattered over the index. What the rows of
    # a read say alike comes last: where it comes first, sorting them compares it again for each two rows.
    shared = (*([stream.account] if stream.account in stream.key else []), "_connection_id")
    first = [stream.day] if stream.day else []
    key = (*first, *(one for one in stream.key if one not in (*first, *shared)), *shared)
    target = Target(
        table=sql.Identifier("raw", name),
        incoming=sql.Identifier("pg_temp", f"incoming__{name}"),
        columns=tuple(column for column, _ in columns),
        key=key,
        content=tuple(
            column
            for column, _ in columns
            if column not in (*key, "_load_id", "_fetched_at", "_first_seen_at")
            and not (column == stream.modified and column.startswith("_"))
        ),
    )
    stored = {
        row[0]
        for row in connection.execute(
            "select column_name from information_schema.columns where table_schema = 'raw' and table_name = %s", (name,)
        )
    }
    columns = (*json_rows.raw_columns(stream), *_system_columns(stream))
    # What indexes read stands first: to reach a column PostgreSQL walks over those before it, row by row.
    indexed = ("_load_id", *key, *stream.lookups)
    columns = tuple(sorted(columns, key=lambda one: indexed.index(one[0]) if one[0] in indexed else len(indexed)))
    declare = [sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind)) for column, kind in columns]
    if not stored:
        primary_key = (*key, "_fetched_at") if stream.keep_versions else key
        connection.execute(sql.SQL("create table {} ({})").format(target.table, sql.SQL(", ").join(declare)))
        create_index_of_loads(connection, target)
        create_indexes(connection, stream, target, primary_key)
    for (column, _), declaration in zip(columns, declare, strict=True):
        if stored and column not in stored:
            connection.execute(sql.SQL("alter table {} add column {}").format(target.table, declaration))
    connection.execute(
        sql.SQL("create temporary table {} ({}) on commit drop").format(target.incoming, sql.SQL(", ").join(declare))
    )
    return target


def _fill(
    connection: psycopg.Connection[Any],
    source: Source,
    stream: Stream,
    target: Target,
    landed: LandedRead,
    load_id: int,
    secret: bytes,
) -> json_rows.Tally | None:
    """Copy a first read straight into its table and build the indexes over all rows: half the work of an upsert.

    None when the table holds rows or the read holds one key twice; then nothing was done. Nor for what is so little
    that an index takes it in sooner than it is made again, nor when days of the read are known to have had no rows.
    """
    if not source.is_inbox and landed.size < WORTH_FILLING:
        return None
    holds_rows = sql.SQL(
        "select exists (select from {}) or exists (select from ops.loaded_days "
        "where source = {} and connection_id = {} and stream = {} and date_day >= {} and date_day < {})"
    ).format(target.table, *scope(landed))
    if _scalar(connection, holds_rows):
        return None
    connection.execute("set local maintenance_work_mem = '256MB'")
    try:
        with connection.transaction():
            connection.execute(sql.SQL("lock table {} in access exclusive mode").format(target.table))
            if _scalar(connection, holds_rows):
                return None
            # A table that is emptied in the transaction that fills it needs no log where nothing replicates the server.
            connection.execute(sql.SQL("truncate {}").format(target.table))
            drop_indexes(connection, target)
            create_index_of_loads(connection, target, load_id)
            tally = _copy_read(connection, source, stream, target, landed, load_id, secret, target.table)
            primary_key = (*target.key, "_fetched_at") if stream.keep_versions else target.key
            accounts.set_aside(connection, stream, landed, target.table, secret, tally)
            create_indexes(connection, stream, target, primary_key)
    except psycopg.errors.UniqueViolation:
        return None
    return tally


def _copy_tables(
    connection: psycopg.Connection[Any],
    stream: Stream,
    table: sql.Identifier,
    landed: LandedRead,
    load_id: int,
    secret: bytes,
    tally: json_rows.Tally,
) -> None:
    """Copy the tables of an inbox. What all rows of a file say alike is a default of its column and is not copied."""
    defaults: dict[str, str] = {}

    def make_default(wanted: dict[str, str]) -> None:
        changes = [
            sql.SQL("alter column {} set default {}").format(sql.Identifier(column), sql.Literal(value))
            for column, value in wanted.items()
            if defaults.get(column) != value
        ]
        changes += [
            sql.SQL("alter column {} drop default").format(sql.Identifier(column))
            for column in defaults.keys() - wanted.keys()
        ]
        if changes:
            connection.execute(sql.SQL("alter table {} ").format(table) + sql.SQL(", ").join(changes))
        defaults.clear()
        defaults.update(wanted)

    types = dict((*json_rows.raw_columns(stream), *_SYSTEM_COLUMNS))
    copied = 0
    read = arrow_rows.batches(stream, landed, load_id, secret, tally)
    written = ahead((shape, *copying.encode(batch, types)) for shape, batch in read)
    for (shape, form), blocks in itertools.groupby(written, key=lambda block: block[:2]):
        make_default(dict(shape.constants))
        copied += copying.copy(connection, table, shape.columns, form, (data for _, _, data in blocks))
    if copied != tally.readable:
        raise LoadError(
            f"PostgreSQL took {copied} of {tally.readable} rows of {landed.path}; nothing of it was loaded."
        )
    make_default({})
    replacement.find_days(connection, stream, table, tally.exports)


def _copy_read(
    connection: psycopg.Connection[Any],
    source: Source,
    stream: Stream,
    target: Target,
    landed: LandedRead,
    load_id: int,
    secret: bytes,
    table: sql.Identifier,
    most: int | None = None,
) -> json_rows.Tally:
    """Copy a read, or its first bodies, into a table. Raises LandingError for a body that cannot be read."""
    if source.is_inbox:
        tally = json_rows.Tally()
        _copy_tables(connection, stream, table, landed, load_id, secret, tally)
        return tally
    copy = partial(_copy_bodies, connection, source, stream, target, table, landed, load_id, secret, most)
    try:
        try:
            with connection.transaction():
                return copy(carefully=False)
        except psycopg.DataError as error:
            # Numbers of a million digits, say: rare, so the fast way does not look for them.
            log.warning("%s: %s; read again value by value", landed.path, _refusal(error))
            with connection.transaction():
                return copy(carefully=True)
    except BodyError as error:
        days = f"{landed.window.from_day} to {landed.window.to_day}"
        raise LandingError(
            f"Landed file {landed.path}/{landed.files[error.number].name} cannot be read: {error.reason}. Nothing of "
            f"this read is loaded. Ingest {landed.source} again for {days}; if the vendor answers the same again, it "
            "changed its form and the connector must learn it."
        ) from error
    except psycopg.DataError as error:
        raise LandingError(
            f"{landed.path}: {_refusal(error)}. Nothing of this read is loaded. Report this message: "
            "such a value must go to quarantine."
        ) from None


def _refusal(error: psycopg.DataError) -> str:
    """What PostgreSQL refuses and where, without the value: it may be of a person."""
    place = (error.diag.context or "unknown place").partition(":")[0]
    return f"PostgreSQL refuses a value ({type(error).__name__}, {place})"


def _copy_bodies(
    connection: psycopg.Connection[Any],
    source: Source,
    stream: Stream,
    target: Target,
    table: sql.Identifier,
    landed: LandedRead,
    load_id: int,
    secret: bytes,
    most: int | None,
    *,
    carefully: bool,
) -> json_rows.Tally:
    tally = json_rows.Tally()
    tail = f"\t{landed.connection_id}\t{load_id}\t{landed.fetched_at.isoformat()}\n"
    statement = sql.SQL("copy {} ({}) from stdin").format(table, target.names(target.columns))
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        bodies = itertools.islice(landed.bodies(), most)
        made = json_rows.lines(
            source, stream, landed.connection_id, landed.window, bodies, secret, tail, tally, carefully=carefully
        )
        # PostgreSQL takes lines in while the next ones are made.
        for text in ahead(made):
            copy.write(text)
    return tally


def _upsert(connection: psycopg.Connection[Any], stream: Stream, target: Target) -> int:
    """Upsert by key; the newest (modified, fetched_at) wins. Returns how many rows an already stored one supersedes.

    A stored row that says the same keeps its `_load_id`, but takes the later `_fetched_at`: that orders later reads.
    """
    newer_first = [stream.modified, "_fetched_at"] if stream.modified else ["_fetched_at"]
    superseded = connection.execute(
        sql.SQL(
            "delete from {incoming} as incoming using {table} as stored where {same_key} and ({theirs}) < ({ours})"
        ).format(
            incoming=target.incoming,
            table=target.table,
            same_key=target.same_key("stored", "incoming"),
            theirs=target.names(newer_first, "incoming"),
            ours=target.names(newer_first, "stored"),
        )
    ).rowcount
    order = [stream.modified] if stream.modified and stream.modified not in target.content else []
    # What was marked as removed and is read again is alive.
    revived, was_removed = (sql.SQL(", _removed_at = null"), sql.SQL("stored._removed_at is not null"))
    if not stream.reconcile:
        revived, was_removed = sql.SQL(""), sql.SQL("false")
    assignments = sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column))
        for column in (*target.content, *order, "_fetched_at")
    )
    connection.execute(
        sql.SQL(
            """
            insert into {table} as stored ({columns})
            select {columns} from {incoming}
            on conflict ({key}) do update
            set {assignments}{revived},
                _load_id = case when {differ} or {was_removed} then excluded._load_id else stored._load_id end
            """
        ).format(
            table=target.table,
            columns=target.names(target.columns),
            incoming=target.incoming,
            key=target.names(target.key),
            assignments=assignments,
            revived=revived,
            was_removed=was_removed,
            differ=target.differ("stored", "excluded"),
        )
    )
    return superseded


def _append_versions(connection: psycopg.Connection[Any], stream: Stream, target: Target, landed: LandedRead) -> int:
    """Keep one row per change seen. Returns how many incoming rows say what the version before them said.

    A read that arrives late is put between its neighbours: what the next read had seen is written down first, so that
    the late version ends where that read began.
    """
    next_read = _scalar(
        connection,
        """
        select min(fetched_at) from ops.loads
        where source = %s and connection_id = %s and stream = %s and fetched_at > %s
        """,
        (landed.source, landed.connection_id, stream.name, landed.fetched_at),
    )
    others = [column for column in target.columns if column != "_fetched_at"]
    if next_read:
        connection.execute(
            sql.SQL(
                """
                insert into {table} ({others}, _fetched_at)
                select distinct on ({key}) {others_stored}, {next_read}
                from {table} as stored
                where stored._fetched_at <= {next_read}
                    and exists (select from {incoming} as incoming where {same_key})
                order by {key}, stored._fetched_at desc
                on conflict do nothing
                """
            ).format(
                table=target.table,
                incoming=target.incoming,
                others=target.names(others),
                others_stored=target.names(others, "stored"),
                key=target.names(target.key, "stored"),
                same_key=target.same_key("stored", "incoming"),
                next_read=sql.Literal(next_read),
            )
        )
    connection.execute(
        sql.SQL("insert into {table} ({columns}) select {columns} from {incoming} on conflict do nothing").format(
            table=target.table, incoming=target.incoming, columns=target.names(target.columns)
        )
    )
    connection.execute(
        sql.SQL(
            """
            delete from {table} as stored using (
                select
                    {key},
                    version._fetched_at,
                    row_number() over earlier > 1
                    and ({content}) is not distinct from ({content_before}) as says_the_same
                from {table} as version
                where exists (select from {incoming} as incoming where {same_key})
                window earlier as (partition by {key} order by version._fetched_at)
            ) as repeated
            where repeated.says_the_same and stored._fetched_at = repeated._fetched_at and {same_row}
            """
        ).format(
            table=target.table,
            incoming=target.incoming,
            key=target.names(target.key, "version"),
            content=target.names(target.content, "version"),
            content_before=sql.SQL(", ").join(
                sql.SQL("lag(version.{}) over earlier").format(sql.Identifier(column)) for column in target.content
            ),
            same_key=target.same_key("version", "incoming"),
            same_row=target.same_key("stored", "repeated"),
        )
    )
    return 0


def _quarantine(
    connection: psycopg.Connection[Any],
    stream: Stream,
    landed: LandedRead,
    load_id: int,
    accounts_read: tuple[str, ...] | None,
    tally: json_rows.Tally,
) -> None:
    """Write unreadable rows down: hashes, column and reason in `ops`, the payload in `raw`.

    Meeting the same row again changes nothing but its `load_id`. Rows that earlier reads of these days quarantined and
    that this newer read no longer holds in that form are marked replayed; a file's rows by a newer read of that file,
    an account's by one of that account.
    """
    connection.execute(
        "create temporary table unreadable ("
        "hashed_key text, hashed_payload text, column_name text, reason text, payload jsonb, file text, line_no bigint"
        ") on commit drop"
    )
    columns = "hashed_key, hashed_payload, column_name, reason, payload" + (", file, line_no" if tally.files else "")
    tally.unreadable.seek(0)
    with connection.cursor() as cursor, cursor.copy(f"copy unreadable ({columns}) from stdin") as copy:
        while text := tally.unreadable.read(1_000_000):
            copy.write(text)
    read = {
        "load_id": load_id,
        "source": landed.source,
        "connection_id": landed.connection_id,
        "stream": landed.stream,
        "fetched_at": landed.fetched_at,
        "start": landed.window.from_day,
        "end": landed.window.to_day,
        "files": [each["path"] for each in tally.files],
        "accounts": None if accounts_read is None else list(accounts_read),
        "account": stream.account,
        "account_path": next((one.path.split(".") for one in stream.columns if one.name == stream.account), None),
    }
    connection.execute(
        """
        with written as (
            insert into ops.quarantine (
                load_id, source, connection_id, stream, hashed_key, hashed_payload, column_name, reason, first_seen_at,
                file, line_no
            )
            select distinct on (hashed_payload)
                %(load_id)s, %(source)s, %(connection_id)s, %(stream)s,
                hashed_key, hashed_payload, column_name, reason, %(fetched_at)s, file, line_no
            from unreadable
            on conflict (source, connection_id, stream, hashed_payload) do update
            set
                load_id = greatest(quarantine.load_id, excluded.load_id),
                first_seen_at = least(quarantine.first_seen_at, excluded.first_seen_at),
                column_name = excluded.column_name,
                reason = excluded.reason,
                replayed_at = null
            returning quarantine_id, hashed_payload
        )
        insert into raw.quarantine (quarantine_id, payload)
        select distinct on (written.quarantine_id) written.quarantine_id, unreadable.payload
        from written inner join unreadable using (hashed_payload)
        on conflict (quarantine_id) do nothing
        """,
        read,
    )
    connection.execute(
        """
        update ops.quarantine
        set replayed_at = %(fetched_at)s
        where source = %(source)s and connection_id = %(connection_id)s and stream = %(stream)s and replayed_at is null
            and hashed_payload not in (select hashed_payload from unreadable)
            and (file is null or file = any(%(files)s))
            and (
                %(accounts)s::text[] is null
                or not exists (
                    select from raw.quarantine as held
                    where held.quarantine_id = quarantine.quarantine_id
                        and coalesce(held.payload #>> %(account_path)s, held.payload ->> %(account)s)
                        <> all(%(accounts)s::text[])
                )
            )
            and load_id in (
                select load_id from ops.loads
                where source = %(source)s and connection_id = %(connection_id)s and stream = %(stream)s
                    and fetched_at <= %(fetched_at)s
                    and (quarantine.file is not null or window_from >= %(start)s and window_to <= %(end)s)
            )
        """,
        read,
    )
    connection.execute("drop table unreadable")


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
