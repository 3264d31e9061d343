"""A read of a dated stream replaces the days of its accounts: what differs is exchanged, what vanished is retracted.

One pass compares the read with what is stored for its days. A row that says the same stays as it is, with the load that
wrote it. Where most of a table is about to change, the read is copied into the table itself, beside the rows that it
replaces, and the indexes are made anew: half the work of moving every row in through them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from funnel.contract import Stream
from funnel.ingest import accounts, conflicts, restatement
from funnel.ingest.accounts import Accounts
from funnel.ingest.json_rows import Tally
from funnel.ingest.landing import LandedRead
from funnel.ingest.raw_tables import Target, create_indexes, drop_duplicates, drop_indexes

# A read is looked at for this when it is so long, in bytes, and has so many bodies: the first one is read once more.
WORTH_REWRITING = 1_000_000
BODIES_WORTH_REWRITING = 4
SAMPLE = 1_000
MOSTLY = 0.75

DIFFERING = sql.Identifier("pg_temp", "differing")
IN_PLACE = sql.Identifier("pg_temp", "read_in_place")


class KeyTwice(Exception):
    """A read holds one key twice; which of the two rows counts must be settled first."""


@dataclass(frozen=True)
class Difference:
    """Rows of a read that are new, rows that differ from a stored one, stored rows that the read does not hold."""

    new: int
    changed: int
    vanished: int


def scope(landed: LandedRead) -> tuple[Any, ...]:
    """Source, connection, stream, first day, day after the last."""
    window = landed.window
    return landed.source, landed.connection_id, landed.stream, window.from_day, window.to_day


def replace_days(
    connection: psycopg.Connection[Any],
    stream: Stream,
    target: Target,
    landed: LandedRead,
    load_id: int,
    read: Accounts,
    tally: Tally,
) -> tuple[int, int, int]:
    """Make the days of the accounts read say what the incoming rows say, except those of which a newer read is loaded.

    Returns (rows superseded, rows retracted, rows duplicated).
    """
    stored = _stored(stream, landed, read)
    superseded = duplicated = 0
    if newer := accounts.newer_days(connection, landed):
        duplicated = _drop_duplicates(connection, stream, target, tally)
        superseded = connection.execute(
            sql.SQL("delete from {incoming} as incoming where {is_newer}").format(
                incoming=target.incoming, is_newer=accounts.is_of(newer, stream, "incoming")
            )
        ).rowcount
        # A null account is of no day of an account, and `not` would leave it out.
        stored = sql.SQL("{} and ({}) is not true").format(stored, accounts.is_of(newer, stream, "stored"))
    exchange = _Exchange(connection, stream, target, landed, load_id, read, stored)
    try:
        # Most reads hold no key twice, so it is not looked for: it shows when the rows are counted, or in the index.
        with connection.transaction():
            retracted = _move_in(exchange, tally.readable - duplicated - superseded)
    except (KeyTwice, psycopg.errors.UniqueViolation):
        duplicated += _drop_duplicates(connection, stream, target, tally)
        retracted = _move_in(exchange, tally.readable - duplicated - superseded)
    accounts.note_days(connection, landed, load_id, read)
    return superseded, retracted, duplicated


def _drop_duplicates(connection: psycopg.Connection[Any], stream: Stream, target: Target, tally: Tally) -> int:
    """Keep one incoming row per key; what the others said otherwise is told."""
    tally.conflicts = conflicts.find(connection, stream, target.incoming)
    return drop_duplicates(connection, stream, target)


@dataclass(frozen=True)
class _Exchange:
    """What the steps of one exchange share. `stored` is the condition of the rows that the read replaces."""

    connection: psycopg.Connection[Any]
    stream: Stream
    target: Target
    landed: LandedRead
    load_id: int
    read: Accounts
    stored: sql.Composable

    def run(self, statement: str, **names: Any) -> psycopg.Cursor[Any]:
        target = self.target
        known = {"table": target.table, "incoming": target.incoming, "differing": DIFFERING, "stored": self.stored}
        known["columns"] = target.names(target.columns)
        return self.connection.execute(sql.SQL(statement).format(**known, **names))


def _stored(stream: Stream, landed: LandedRead, read: Accounts) -> sql.Composable:
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
    """Exchange what differs between so many incoming rows and the stored ones; returns how many were retracted."""
    target, run = exchange.target, exchange.run
    known = run(
        "select exists (select from {table} as stored where {stored}) or exists (select from ops.loaded_days "
        "where source = {source} and connection_id = {connection} and stream = {stream} "
        "and date_day >= {start} and date_day < {end})",
        **dict(zip(("source", "connection", "stream", "start", "end"), scope(exchange.landed), strict=True)),
    ).fetchone()
    if known == (False,):
        run("insert into {table} ({columns}) select {columns} from {incoming}")
        return 0
    same_key = target.same_key("stored", "incoming")
    accounts.name_rows(exchange.connection, exchange.stream, target.table, target.incoming, same_key)
    both = sql.SQL(
        "(select {columns}, false as is_incoming from {table} as stored where {stored} "
        "union all select {columns}, true from {incoming})"
    ).format(columns=target.names(target.columns), table=target.table, stored=exchange.stored, incoming=target.incoming)
    found = _compare(exchange, target.incoming, both, rows)
    # No other transaction moves or adds rows of this stream meanwhile, so their places are as good as their keys.
    run("delete from {table} where ctid = any(array(select place from {differing} where place is not null))")
    if found.new + found.changed == rows:
        run("insert into {table} ({columns}) select {columns} from {incoming}")
    else:
        run(
            "insert into {table} ({columns}) select {columns} from {incoming} "
            "where ctid = any(array(select arrived from {differing} where arrived is not null))"
        )
    run("drop table {differing}")
    return found.vanished


def _compare(
    exchange: _Exchange, incoming: sql.Identifier, both: sql.Composable, rows: int, *, lists_same: bool = False
) -> Difference:
    """List what differs by its place, `arrived` of an incoming row and `place` of a stored one; note which days moved.

    `both` holds the stored and the incoming rows (`is_incoming`). Raises KeyTwice when one key stands twice among the
    incoming rows, which are so many.
    """
    stream, target = exchange.stream, exchange.target
    of_row = [stream.day or "", *([stream.account] if stream.account and stream.account != stream.day else [])]
    exchange.run(
        """
        create temporary table {differing} on commit drop as
        select
            {of_row},
            incoming.ctid as arrived,
            stored.place,
            incoming.ctid is not null and stored.place is not null and not ({differ}) as is_same
        from {read} as incoming
        full join (select {columns}, ctid as place from {table} as stored where {stored}) as stored on {same_key}
        where {lists_same} or incoming.ctid is null or stored.place is null or {differ}
        """,
        of_row=sql.SQL(", ").join(
            sql.SQL("coalesce(incoming.{0}, stored.{0}) as {0}").format(sql.Identifier(name)) for name in of_row
        ),
        lists_same=sql.Literal(lists_same),
        read=incoming,
        same_key=target.same_key("stored", "incoming"),
        differ=target.differ("stored", "incoming"),
    )
    counts = exchange.run(
        "select count(*) filter (where place is null), "
        "count(*) filter (where arrived is not null and place is not null and not is_same), "
        "count(*) filter (where arrived is null) from {differing}"
    ).fetchone()
    found = Difference(*(counts or (0, 0, 0)))
    before = restatement.note(
        exchange.connection,
        stream,
        exchange.landed,
        exchange.load_id,
        exchange.read,
        rows=both,
        differing=DIFFERING,
    )
    # Each incoming row that is not new meets one stored row, and each stored row that has not vanished is met once.
    if rows - found.new != before - found.vanished:
        raise KeyTwice
    return found


def rewrite(
    connection: psycopg.Connection[Any],
    stream: Stream,
    target: Target,
    landed: LandedRead,
    load_id: int,
    secret: bytes,
    copy: Callable[..., Tally],
) -> tuple[Tally, Accounts, int] | None:
    """Copy a read into the table itself and take out what it replaces. None when that is not worth it, or a key occurs
    twice; then nothing was done.

    `copy(table, most=…)` copies the read, or its first bodies. What another transaction sees is the table as it was:
    rows are deleted, never truncated, so a dump that began before shows them.
    """
    if not _is_worth_rewriting(connection, stream, target, landed, copy):
        return None
    connection.execute("set local maintenance_work_mem = '256MB'")
    try:
        with connection.transaction():
            drop_indexes(connection, target)
            tally = copy(target.table)
            connection.execute(
                sql.SQL("create temporary view {} as select *, ctid from {} where _load_id = {}").format(
                    IN_PLACE, target.table, sql.Literal(load_id)
                )
            )
            accounts.set_aside(connection, stream, landed, IN_PLACE, secret, tally)
            read = accounts.of_read(connection, stream, landed, table=target.table, incoming=IN_PLACE)
            of_days = _stored(stream, landed, read)
            stored = sql.SQL("{} and stored._load_id <> {}").format(of_days, sql.Literal(load_id))
            both = sql.SQL("(select *, _load_id = {} as is_incoming from {} as stored where {})").format(
                sql.Literal(load_id), target.table, of_days
            )
            exchange = _Exchange(connection, stream, target, landed, load_id, read, stored)
            found = _compare(exchange, IN_PLACE, both, tally.readable, lists_same=True)
            exchange.run(
                "delete from {table} where ctid = any(array("
                "select case when is_same then arrived else place end from {differing} where place is not null))"
            )
            exchange.run("drop table {differing}")
            connection.execute(sql.SQL("drop view {}").format(IN_PLACE))
            create_indexes(connection, stream, target, target.key, load_id)
            accounts.note_days(connection, landed, load_id, read)
    except (KeyTwice, psycopg.errors.UniqueViolation):
        return None
    return tally, read, found.vanished


def _is_worth_rewriting(
    connection: psycopg.Connection[Any],
    stream: Stream,
    target: Target,
    landed: LandedRead,
    copy: Callable[..., Tally],
) -> bool:
    """Will a read change most of its table? By its first body, which holds old days in most vendors' order."""
    if landed.size < WORTH_REWRITING or len(landed.files) < BODIES_WORTH_REWRITING:
        return False
    # Stored rows that a read gives their account would have to be found by their key.
    names_rows = stream.account is not None and stream.account not in stream.key
    if names_rows or accounts.newer_days(connection, landed):
        return False
    sampled = copy(target.incoming, most=1)
    names = {"table": target.table, "incoming": target.incoming, "same_key": target.same_key("stored", "incoming")}
    names |= {"differ": target.differ("stored", "incoming"), "stored": _stored(stream, landed, Accounts())}
    share = connection.execute(
        sql.SQL(
            "select avg(({differ})::int) from (select * from {incoming} order by random() limit {sample}) as incoming "
            "inner join {table} as stored on {same_key}"
        ).format(**names, sample=sql.Literal(SAMPLE))
    ).fetchone()
    connection.execute(sql.SQL("truncate {incoming}").format(**names))
    if not share or (share[0] or 0) < MOSTLY:
        return False
    # Both are estimates: bodies are about as long, and the server knows how many rows it analysed or indexed last.
    rows = connection.execute(
        "select reltuples from pg_class where oid = %s::regclass", (target.table.as_string(connection),)
    ).fetchone()
    return rows is not None and 2 * sampled.readable * len(landed.files) >= rows[0]
