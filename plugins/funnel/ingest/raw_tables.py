"""The raw table of a stream, its indexes, and the table of incoming rows during a load."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from funnel.contract import Source, Stream, raw_table
from funnel.ingest import json_rows, reconcile
from funnel.ingest.landing import LandedRead

SYSTEM_COLUMNS = (
    ("_extra", "jsonb"),
    ("_connection_id", "text"),
    ("_load_id", "bigint"),
    ("_fetched_at", "timestamptz"),
)


@dataclass(frozen=True)
class Target:
    """Names of one stream's raw table, composed once."""

    table: sql.Identifier
    incoming: sql.Identifier
    columns: tuple[str, ...]
    key: tuple[str, ...]
    content: tuple[str, ...]

    def names(self, columns: Iterable[str], qualifier: str | None = None) -> sql.Composed:
        """The columns as a comma-separated SQL list, with the qualifier before each if one is given."""
        return sql.SQL(", ").join(sql.Identifier(qualifier, c) if qualifier else sql.Identifier(c) for c in columns)

    def same_key(self, left: str, right: str) -> sql.Composed:
        """The SQL condition that two aliases hold rows with the same key."""
        return sql.SQL(" and ").join(
            sql.SQL("{} = {}").format(sql.Identifier(left, c), sql.Identifier(right, c)) for c in self.key
        )

    def differ(self, left: str, right: str) -> sql.Composed:
        """The SQL condition that the content of two aliases differs."""
        return sql.SQL("({}) is distinct from ({})").format(
            self.names(self.content, left), self.names(self.content, right)
        )


@dataclass(frozen=True)
class Loading:
    """A read on its way into its raw table: the common parameters of the steps of its load."""

    connection: psycopg.Connection[Any]
    source: Source
    stream: Stream
    target: Target
    landed: LandedRead
    load_id: int
    # The key of the hashes of persons.
    secret: bytes
    # Takes forgotten persons out of a body.
    reduce: Callable[[bytes], bytes] = bytes

    @property
    def is_of_files(self) -> bool:
        """True if the bodies are tables from the files of an inbox."""
        return self.source.is_inbox


def system_columns(stream: Stream) -> tuple[tuple[str, str], ...]:
    """(name, PostgreSQL type) of the columns that every raw table of this kind of stream has."""
    return (*SYSTEM_COLUMNS, reconcile.REMOVED_AT) if stream.reconcile else SYSTEM_COLUMNS


def lock_stream(connection: psycopg.Connection[Any], source: Source, stream: Stream) -> None:
    """Lock a stream until the transaction ends: only one load at a time may write it or create its table."""
    connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (raw_table(source, stream),))


def ensure_table(connection: psycopg.Connection[Any], source: Source, stream: Stream) -> Target:
    """Create the raw table, or add columns that were declared since; columns are never dropped or retyped."""
    target = _target(source, stream)
    name = raw_table(source, stream)
    stored = {
        row[0]
        for row in connection.execute(
            "select column_name from information_schema.columns where table_schema = 'raw' and table_name = %s", (name,)
        )
    }
    columns = (*json_rows.raw_columns(stream), *system_columns(stream))
    # Indexed columns come first: to reach a column PostgreSQL walks over those before it, in every row.
    indexed = ("_load_id", *target.key, *stream.lookups)
    columns = tuple(sorted(columns, key=lambda one: indexed.index(one[0]) if one[0] in indexed else len(indexed)))
    declare = [sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind)) for column, kind in columns]
    if not stored:
        connection.execute(sql.SQL("create table {} ({})").format(target.table, sql.SQL(", ").join(declare)))
        create_index_of_loads(connection, target)
        create_indexes(connection, stream, target)
    for (column, _), declaration in zip(columns, declare, strict=True):
        if stored and column not in stored:
            connection.execute(sql.SQL("alter table {} add column {}").format(target.table, declaration))
    connection.execute(
        sql.SQL("create temporary table {} ({}) on commit drop").format(target.incoming, sql.SQL(", ").join(declare))
    )
    return target


def _target(source: Source, stream: Stream) -> Target:
    name = raw_table(source, stream)
    columns = (*json_rows.raw_columns(stream), *SYSTEM_COLUMNS)
    # Days arrive in order: a key that begins with the day is appended to the index, not scattered over it. Columns that
    # are equal in all rows of a read come last: as first columns, sorting would compare them for each pair of rows.
    shared = (*([stream.account] if stream.account in stream.key else []), "_connection_id")
    first = [stream.day] if stream.day else []
    key = (*first, *(one for one in stream.key if one not in (*first, *shared)), *shared)
    return Target(
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


def create_index_of_loads(connection: psycopg.Connection[Any], target: Target, first_load: int = 0) -> None:
    """The index on _load_id skips the first load: it would cover every row and nothing filters on it.

    It is created before the rows of that load are copied: then each of them is skipped, and none is read again.
    """
    connection.execute(
        sql.SQL("create index on {} (_load_id) where _load_id > {}").format(target.table, sql.Literal(first_load))
    )


def create_indexes(connection: psycopg.Connection[Any], stream: Stream, target: Target) -> None:
    """Create the index of the unique key and those of the lookup columns.

    Free-text columns of a key are in its index as one hash (ING-21): an index row is limited to 2,704 bytes.
    """
    primary_key = (*target.key, "_fetched_at") if stream.keep_versions else target.key
    free = [column.name for column in stream.columns if column.free_text and column.name in primary_key]
    if free:
        hashes = sql.SQL(" || ").join(sql.SQL("md5({})").format(sql.Identifier(name)) for name in free)
        connection.execute(
            sql.SQL("create unique index on {} ({}, md5({}))").format(
                target.table,
                target.names(name for name in primary_key if name not in free),
                hashes,
            )
        )
    else:
        connection.execute(
            sql.SQL("alter table {} add primary key ({})").format(target.table, target.names(primary_key))
        )
    for indexed in stream.lookups:
        connection.execute(sql.SQL("create index on {} ({})").format(target.table, sql.Identifier(indexed)))


def drop_indexes(connection: psycopg.Connection[Any], target: Target) -> None:
    """Drop all indexes of the raw table, which stays locked until the transaction ends."""
    indexes = connection.execute(
        """
        select index.indexrelid::regclass::text, index.indisprimary, pg_constraint.conname
        from pg_index as index left join pg_constraint on index.indexrelid = pg_constraint.conindid
        where index.indrelid = %s::regclass
        """,
        (target.table.as_string(connection),),
    ).fetchall()
    for name, is_primary, constraint in indexes:
        if is_primary:
            drop = sql.SQL("alter table {} drop constraint {}").format(target.table, sql.Identifier(constraint))
        else:
            drop = sql.SQL("drop index {}").format(sql.SQL(name))
        connection.execute(drop)


def drop_duplicates(connection: psycopg.Connection[Any], stream: Stream, target: Target) -> int:
    """Keep one incoming row per key: the newest by `modified`, then the one received last (the order of the copy)."""
    newest_first: list[sql.Composable] = [sql.SQL("ctid desc")]
    if stream.modified:
        newest_first.insert(0, sql.SQL("{} desc").format(sql.Identifier(stream.modified)))
    has_duplicates = connection.execute(
        sql.SQL("select exists (select from {} group by {} having count(*) > 1)").format(
            target.incoming, target.names(target.key)
        )
    ).fetchone()
    if has_duplicates == (False,):
        return 0
    return connection.execute(
        sql.SQL(
            """
            delete from {incoming} where ctid in (
                select ctid
                from (
                    select ctid, row_number() over (partition by {key} order by {newest_first}) as place from {incoming}
                ) as ranked
                where place > 1
            )
            """
        ).format(incoming=target.incoming, key=target.names(target.key), newest_first=sql.SQL(", ").join(newest_first))
    ).rowcount
