"""A read of a dated stream replaces the days of its accounts: differing rows are replaced, missing rows are retracted.

One pass compares the read with the stored rows of its days. Equal rows stay unchanged, with the load that wrote them.
If most of a table changes, the read is copied into the table itself (ING-10), next to the rows that it replaces, and
the indexes are created again: half the work of moving every row in through them.
"""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from funnel.contract import Stream
from funnel.ingest import accounts, conflicts, restatement
from funnel.ingest.accounts import Accounts
from funnel.ingest.copying import copy_read
from funnel.ingest.json_rows import Tally
from funnel.ingest.raw_tables import Loading, create_index_of_loads, create_indexes, drop_duplicates, drop_indexes

# Only reads of at least this many bytes and bodies are considered, because the first body is read once more.
WORTH_REWRITING = 1_000_000
BODIES_WORTH_REWRITING = 4
SAMPLE = 1_000
MOSTLY = 0.75

COMPARED = sql.Identifier("pg_temp", "compared")
IN_PLACE = sql.Identifier("pg_temp", "read_in_place")


class KeyTwice(Exception):
    """A read contains one key twice; the caller must first remove one of the rows."""


@dataclass(frozen=True)
class Difference:
    """Counts of a comparison: rows only in the read, rows that differ from a stored one, stored rows missing from the
    read.
    """

    new: int
    changed: int
    vanished: int
    # Stored rows of all pairs: one with two incoming rows of its key counts twice.
    paired: int


def replace_days(loading: Loading, read: Accounts, tally: Tally) -> tuple[int, int, int]:
    """Make the days of the accounts read equal to the incoming rows, except days for which a newer read is loaded.

    Returns (rows superseded, rows retracted, rows duplicated).
    """
    connection, stream, target, landed = loading.connection, loading.stream, loading.target, loading.landed
    stored = _stored(loading, read)
    superseded = duplicated = 0
    if newer := accounts.newer_days(connection, landed):
        duplicated = _drop_duplicates(loading, tally)
        superseded = connection.execute(
            sql.SQL("delete from {incoming} as incoming where {is_newer}").format(
                incoming=target.incoming, is_newer=accounts.is_of(newer, stream, "incoming")
            )
        ).rowcount
        # A row with a null account belongs to no account's day, and `not` would exclude it.
        stored = sql.SQL("{} and ({}) is not true").format(stored, accounts.is_of(newer, stream, "stored"))
    exchange = _Exchange(loading, read, stored)
    try:
        # Most reads contain no key twice, so there is no separate check: counting the rows, or the index, detects it.
        with connection.transaction():
            retracted = _move_in(exchange, tally.readable - duplicated - superseded)
    except (KeyTwice, psycopg.errors.UniqueViolation):
        duplicated += _drop_duplicates(loading, tally)
        retracted = _move_in(exchange, tally.readable - duplicated - superseded)
    accounts.note_days(connection, landed, loading.load_id, read)
    return superseded, retracted, duplicated


def _drop_duplicates(loading: Loading, tally: Tally) -> int:
    """Keep one incoming row per key; differences of the others are reported."""
    tally.conflicts = conflicts.find(loading.connection, loading.stream, loading.target.incoming)
    return drop_duplicates(loading.connection, loading.stream, loading.target)


@dataclass(frozen=True)
class _Exchange:
    """The common parameters of one exchange. `stored` is the condition of the rows that the read replaces."""

    loading: Loading
    read: Accounts
    stored: sql.Composable

    def run(self, statement: str, **names: Any) -> psycopg.Cursor[Any]:
        target = self.loading.target
        known = {"table": target.table, "incoming": target.incoming, "compared": COMPARED, "stored": self.stored}
        known["columns"] = target.names(target.columns)
        return self.loading.connection.execute(sql.SQL(statement).format(**known, **names))


def _stored(loading: Loading, read: Accounts) -> sql.Composable:
    """The SQL condition that a stored row belongs to the days and accounts of a read."""
    stream, landed = loading.stream, loading.landed
    return sql.SQL(
        "stored._connection_id = {connection} and stored.{day} >= {start} and stored.{day} < {end} and {covered}"
    ).format(
        connection=landed.connection_id,
        day=sql.Identifier(stream.day or ""),
        start=landed.window.from_day,
        end=landed.window.to_day,
        covered=accounts.covered(read, stream, "stored"),
    )


def _move_in(exchange: _Exchange, rows: int) -> int:
    """Replace the stored rows that differ from the incoming ones; returns the number of retracted rows."""
    loading, run = exchange.loading, exchange.run
    target = loading.target
    known = run(
        "select exists (select from {table} as stored where {stored}) or exists (select from ops.loaded_days "
        "where source = {source} and connection_id = {connection} and stream = {stream} "
        "and date_day >= {start} and date_day < {end})",
        **dict(zip(("source", "connection", "stream", "start", "end"), loading.landed.scope, strict=True)),
    ).fetchone()
    if known == (False,):
        run("insert into {table} ({columns}) select {columns} from {incoming}")
        return 0
    same_key = target.same_key("stored", "incoming")
    accounts.name_rows(loading.connection, loading.stream, target.table, target.incoming, same_key)
    found = _compare(exchange, target.incoming)
    if run("select count(*) from {table} as stored where {stored}").fetchone() != (found.paired,):
        raise KeyTwice
    # No other transaction moves or adds rows of this stream meanwhile, so row addresses (ctid) can replace keys.
    run("delete from {table} where ctid = any(array(select unnest(gone) from {compared}))")
    if found.new + found.changed == rows:
        run("insert into {table} ({columns}) select {columns} from {incoming}")
    else:
        run(
            "insert into {table} ({columns}) select {columns} from {incoming} "
            "where ctid = any(array(select unnest(differing) from {compared}))"
        )
    run("drop table {compared}")
    return found.vanished


def _compare(exchange: _Exchange, incoming: sql.Identifier) -> Difference:
    """Compare the incoming rows with the stored ones, and record the days that changed.

    Afterwards `compared` holds, by day and account, the positions of incoming rows that differ or are equal, and of
    stored rows that are `gone`.
    """
    loading = exchange.loading
    stream, target = loading.stream, loading.target
    of_row = [stream.day or "", *([stream.account] if stream.account and stream.account != stream.day else [])]
    # Days and accounts are few. The planner expects thousands of groups and would sort all rows by them.
    exchange.run("set local enable_sort = off")
    exchange.run(
        """
        create temporary table {compared} on commit drop as
        select
            {of_row},
            count(place) as rows_before,
            count(arrived) as rows_after,
            count(*) filter (where place is null) as new,
            count(*) filter (where arrived is not null and place is not null and differs) as changed,
            count(*) filter (where arrived is null) as vanished,
            array_agg(place) filter (where place is not null and differs) as gone,
            array_agg(arrived) filter (where arrived is not null and differs) as differing,
            array_agg(arrived) filter (where not differs) as same
            {sums}
        from (
            select
                {of_pair},
                incoming.ctid as arrived,
                stored.place,
                incoming.ctid is null or stored.place is null or {differ} as differs
                {measures}
            from {read} as incoming
            full join (select {columns}, ctid as place from {table} as stored where {stored}) as stored on {same_key}
            -- Kept apart, so that two rows are compared once and not for each aggregate.
            offset 0
        ) as pairs
        group by {of_row}
        """,
        of_row=target.names(of_row),
        of_pair=sql.SQL(", ").join(
            sql.SQL("coalesce(incoming.{0}, stored.{0}) as {0}").format(sql.Identifier(name)) for name in of_row
        ),
        measures=_both_sides(stream, ", stored.{column} as {before}, incoming.{column} as {after}"),
        sums=_both_sides(stream, ", sum({before}) as {before}, sum({after}) as {after}"),
        read=incoming,
        # All rows are of one connection.
        same_key=sql.SQL(" and ").join(
            sql.SQL("stored.{0} = incoming.{0}").format(sql.Identifier(name)) for name in stream.key
        ),
        differ=target.differ("stored", "incoming"),
    )
    exchange.run("set local enable_sort = on")
    counts = exchange.run(
        "select coalesce(sum(new), 0)::bigint, coalesce(sum(changed), 0)::bigint, coalesce(sum(vanished), 0)::bigint, "
        "coalesce(sum(rows_before), 0)::bigint from {compared}"
    ).fetchone()
    restatement.note(loading.connection, stream, loading.landed, loading.load_id, exchange.read, COMPARED)
    return Difference(*(counts or (0, 0, 0, 0)))


def _both_sides(stream: Stream, statement: str) -> sql.Composed:
    """A part of a statement for each column that holds a measure."""
    return sql.SQL("").join(
        sql.SQL(statement).format(
            column=sql.Identifier(name), before=sql.Identifier(f"before_{name}"), after=sql.Identifier(f"after_{name}")
        )
        for name in restatement.measured(stream)
    )


def rewrite(loading: Loading) -> tuple[Tally, Accounts, int] | None:
    """Copy a read into the table itself and remove what it replaces.

    Returns None without a change if that is not worth it or a key occurs twice.

    Other transactions still see the old table: rows are deleted, never truncated, so a dump that began before still
    contains them.
    """
    if not _is_worth_rewriting(loading):
        return None
    connection, stream, target, landed = loading.connection, loading.stream, loading.target, loading.landed
    connection.execute("set local maintenance_work_mem = '256MB'")
    try:
        with connection.transaction():
            drop_indexes(connection, target)
            create_index_of_loads(connection, target, loading.load_id)
            tally = copy_read(loading, target.table)
            connection.execute(
                sql.SQL("create temporary view {} as select *, ctid from {} where _load_id = {}").format(
                    IN_PLACE, target.table, sql.Literal(loading.load_id)
                )
            )
            accounts.set_aside(connection, stream, landed, IN_PLACE, loading.secret, tally)
            read = accounts.of_read(connection, stream, landed, table=target.table, incoming=IN_PLACE, tally=tally)
            stored = sql.SQL("{} and stored._load_id <> {}").format(
                _stored(loading, read), sql.Literal(loading.load_id)
            )
            exchange = _Exchange(loading, read, stored)
            found = _compare(exchange, IN_PLACE)
            exchange.run("delete from {table} where ctid = any(array(select unnest(gone || same) from {compared}))")
            exchange.run("drop table {compared}")
            connection.execute(sql.SQL("drop view {}").format(IN_PLACE))
            create_indexes(connection, stream, target)
            accounts.note_days(connection, landed, loading.load_id, read)
    except psycopg.errors.UniqueViolation:
        return None
    return tally, read, found.vanished


def _is_worth_rewriting(loading: Loading) -> bool:
    """Estimate from the first body, which most vendors fill with old days, whether a read changes most of its table."""
    connection, stream, target, landed = loading.connection, loading.stream, loading.target, loading.landed
    if landed.size < WORTH_REWRITING or len(landed.files) < BODIES_WORTH_REWRITING:
        return False
    # Stored rows that get their account from this read would have to be found by key.
    names_rows = stream.account is not None and stream.account not in stream.key
    if names_rows or accounts.newer_days(connection, landed):
        return False
    sampled = copy_read(loading, target.incoming, most=1)
    names = {"table": target.table, "incoming": target.incoming, "same_key": target.same_key("stored", "incoming")}
    names |= {"differ": target.differ("stored", "incoming"), "stored": _stored(loading, Accounts())}
    share = connection.execute(
        sql.SQL(
            "select avg(({differ})::int) from (select * from {incoming} order by random() limit {sample}) as incoming "
            "inner join {table} as stored on {same_key}"
        ).format(**names, sample=sql.Literal(SAMPLE))
    ).fetchone()
    connection.execute(sql.SQL("truncate {incoming}").format(**names))
    if not share or (share[0] or 0) < MOSTLY:
        return False
    # Both are estimates: bodies are about equally long, and the server keeps the row count of its last analysis.
    rows = connection.execute(
        "select reltuples from pg_class where oid = %s::regclass", (target.table.as_string(connection),)
    ).fetchone()
    return rows is not None and 2 * sampled.readable * len(landed.files) >= rows[0]
