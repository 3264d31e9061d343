"""The vendor accounts of a read: the days that it replaces, and the state of each account.

A connection may read several ad accounts, properties or customers. A read names its accounts and replaces only their
days: an account that was not requested, or that was refused, keeps the rows of earlier reads (ING-11). A read without
names (of a stream without accounts, or landed before they were recorded) covers the whole connection.
"""

import json
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import psycopg
from psycopg import sql

from funnel.contract import Stream
from funnel.ingest.json_rows import Tally, raw_columns
from funnel.ingest.landing import LandedRead
from funnel.ingest.privacy import keyed_hash
from funnel.ingest.values import ESCAPES

# The most days read again for an account that answers again: vendors keep daily figures for 36 months.
FURTHEST_GAP_DAYS = 1_000


@dataclass(frozen=True)
class Accounts:
    """The accounts that a read covers (None: all accounts of the connection), and those that refused."""

    read: tuple[str, ...] | None = None
    refused: dict[str, str] = field(default_factory=dict)


def of_read(
    connection: psycopg.Connection[Any],
    stream: Stream,
    landed: LandedRead,
    *,
    table: sql.Identifier,
    incoming: sql.Identifier,
    tally: Tally,
) -> Accounts:
    """The vendor accounts of a read with rows in `incoming`; `table` has the rows of earlier reads."""
    if stream.account is None:
        return Accounts()
    if landed.accounts is None:
        return Accounts(_in_rows(connection, stream, incoming, tally) or None)
    told = Accounts(landed.accounts, dict(landed.refused))
    if not stream.empty_is_doubtful:
        return told
    silent = sorted(set(landed.accounts) - set(_in_rows(connection, stream, incoming, tally)))
    return _without_doubtful(connection, stream, landed, table, told, silent) if silent else told


def _in_rows(
    connection: psycopg.Connection[Any], stream: Stream, incoming: sql.Identifier, tally: Tally
) -> tuple[str, ...]:
    if tally.accounts is not None:
        return tuple(sorted(account for account in tally.accounts if account is not None))
    found = connection.execute(
        sql.SQL("select distinct {account} from {incoming} where {account} is not null").format(
            account=sql.Identifier(stream.account or ""), incoming=incoming
        )
    )
    return tuple(account for (account,) in found)


def set_aside(
    connection: psycopg.Connection[Any],
    stream: Stream,
    landed: LandedRead,
    incoming: sql.Identifier,
    secret: bytes,
    tally: Tally,
) -> None:
    """Move rows of accounts that were not requested from a read to quarantine: no later read would replace them."""
    if stream.account is None or landed.accounts is None:
        return
    columns = [name for name, _ in raw_columns(stream)]
    strange = connection.execute(
        sql.SQL("delete from {incoming} where {account} <> all({asked}) returning {columns}").format(
            incoming=incoming,
            account=sql.Identifier(stream.account),
            asked=list(landed.accounts),
            columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        )
    )
    for row in strange:
        record = dict(zip(columns, row, strict=True))
        payload = json.dumps(record, default=str)
        line = (
            keyed_hash(secret, ":".join(str(record[name]) for name in stream.key)),
            keyed_hash(secret, payload),
            stream.account,
            f"is {record[stream.account]}, an account that was not asked for",
            payload,
        )
        tally.unreadable.write("\t".join(text.translate(ESCAPES) for text in line) + "\n")
        tally.quarantined += 1
        tally.readable -= 1


def _without_doubtful(
    connection: psycopg.Connection[Any],
    stream: Stream,
    landed: LandedRead,
    table: sql.Identifier,
    told: Accounts,
    silent: list[str],
) -> Accounts:
    """Treat an account as refused if it answered with no row although rows are stored for these days."""
    stored = dict(
        connection.execute(
            sql.SQL(
                "select {account}, count(*) from {table} where _connection_id = {connection} "
                "and {account} = any({silent}) and {day} >= {start} and {day} < {end} group by 1"
            ).format(
                account=sql.Identifier(stream.account or ""),
                table=table,
                connection=landed.connection_id,
                silent=silent,
                day=sql.Identifier(stream.day or ""),
                start=landed.window.from_day,
                end=landed.window.to_day,
            )
        ).fetchall()
    )
    reasons = {
        account: (
            f"it answered with no row, where {count} are stored for these days: the vendor gives the same answer where "
            "access is missing. What to do: give the login access to this account again, or take the account out of "
            "the connection: its days stay as they were read."
        )
        for account, count in stored.items()
    }
    read = tuple(account for account in told.read or () if account not in reasons)
    return replace(told, read=read, refused={**told.refused, **reasons})


def covered(accounts: Accounts, stream: Stream, alias: str) -> sql.Composable:
    """The SQL condition that a row's account belongs to a read."""
    if accounts.read is None:
        return sql.SQL("true")
    return sql.SQL("{} = any({})").format(sql.Identifier(alias, stream.account or ""), list(accounts.read))


def newer_days(connection: psycopg.Connection[Any], landed: LandedRead) -> list[tuple[str, date]]:
    """(account, day) of each day for which a newer read is loaded; the account is empty for the whole connection."""
    return connection.execute(
        """
        select account, date_day from ops.loaded_days
        where source = %s and connection_id = %s and stream = %s
            and date_day >= %s and date_day < %s and fetched_at > %s
        """,
        (
            *(landed.source, landed.connection_id, landed.stream),
            *(landed.window.from_day, landed.window.to_day, landed.fetched_at),
        ),
    ).fetchall()


def is_of(days: list[tuple[str, date]], stream: Stream, alias: str) -> sql.Composable:
    """The SQL condition that a row belongs to one of these accounts and days."""
    return sql.SQL(
        "({day} = any({whole}::date[]) "
        "or ({account}, {day}) in (select * from unnest({accounts}::text[], {days}::date[])))"
    ).format(
        day=sql.Identifier(alias, stream.day or ""),
        account=sql.Identifier(alias, stream.account) if stream.account else sql.Literal(""),
        whole=[day for account, day in days if account == ""],
        accounts=[account for account, _ in days],
        days=[day for _, day in days],
    )


def name_rows(
    connection: psycopg.Connection[Any],
    stream: Stream,
    table: sql.Identifier,
    incoming: sql.Identifier,
    same_key: sql.Composable,
) -> None:
    """Write the account of the read into stored rows with the same keys, if the key does not contain the account."""
    if stream.account is None or stream.account in stream.key:
        return
    connection.execute(
        sql.SQL(
            "update {table} as stored set {account} = incoming.{account} from {incoming} as incoming "
            "where {same_key} and incoming.{account} is not null "
            "and incoming.{account} is distinct from stored.{account}"
        ).format(table=table, account=sql.Identifier(stream.account), incoming=incoming, same_key=same_key)
    )


def note_days(connection: psycopg.Connection[Any], landed: LandedRead, load_id: int, accounts: Accounts) -> None:
    """Record which read covers each day of the window now, by account."""
    connection.execute(
        """
        insert into ops.loaded_days (source, connection_id, stream, account, date_day, fetched_at, load_id)
        select
            %(source)s, %(connection_id)s, %(stream)s, accounts.account, days.date_day::date, %(fetched_at)s,
            %(load_id)s
        from unnest(%(accounts)s::text[]) as accounts (account)
        cross join generate_series(%(start)s::date, %(end)s::date - 1, interval '1 day') as days (date_day)
        on conflict (source, connection_id, stream, date_day, account) do update
        set fetched_at = excluded.fetched_at, load_id = excluded.load_id
        where loaded_days.fetched_at <= excluded.fetched_at
        """,
        {
            "source": landed.source,
            "connection_id": landed.connection_id,
            "stream": landed.stream,
            "accounts": [""] if accounts.read is None else list(accounts.read),
            "fetched_at": landed.fetched_at,
            "load_id": load_id,
            "start": landed.window.from_day,
            "end": landed.window.to_day,
        },
    )


def note(connection: psycopg.Connection[Any], stream: Stream, landed: LandedRead, accounts: Accounts) -> None:
    """Record the state of each account after a read; the result does not depend on the order of the reads."""
    if landed.accounts is None:
        return
    is_dated = stream.kind == "dated"
    last_day = landed.window.to_day - timedelta(days=1)
    asked = [(account, None) for account in accounts.read or ()] + list(accounts.refused.items())
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into ops.account_reads as known (
                source, connection_id, stream, account, asked_at, read_at, refused_at, reason, first_day, last_day
            )
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            on conflict (source, connection_id, stream, account) do update
            set
                asked_at = greatest(known.asked_at, excluded.asked_at),
                read_at = greatest(known.read_at, excluded.read_at),
                reason = case
                    when excluded.refused_at >= coalesce(known.refused_at, '-infinity') then excluded.reason
                    else known.reason
                end,
                refused_at = greatest(known.refused_at, excluded.refused_at),
                first_day = least(known.first_day, excluded.first_day),
                last_day = greatest(known.last_day, excluded.last_day)
            """,
            [
                (
                    *(landed.source, landed.connection_id, landed.stream, account, landed.fetched_at),
                    *((landed.fetched_at, None) if reason is None else (None, landed.fetched_at)),
                    reason,
                    *((landed.window.from_day, last_day) if is_dated and reason is None else (None, None)),
                )
                for account, reason in asked
            ],
        )


def refused_in(connection: psycopg.Connection[Any], source_name: str, run_id: str) -> dict[tuple[str, str], str]:
    """The accounts that refused in a run, by (connection, account), with the last reason."""
    refused: dict[tuple[str, str], str] = {}
    for connection_id, reasons in connection.execute(
        """
        select distinct on (connection_id, stream) connection_id, refused
        from ops.loads
        where source = %s and run_id = %s
        order by connection_id, stream, fetched_at desc
        """,
        (source_name, run_id),
    ):
        for account, reason in reasons.items():
            refused.setdefault((connection_id, account), reason)
    return dict(sorted(refused.items()))


def first_missed_day(
    connection: psycopg.Connection[Any], source_name: str, connection_id: str, day: date
) -> date | None:
    """The first day that was read of other accounts while an account was refused that answers again; None without one.

    Accounts that still refuse, or are no longer requested, do not count: their days could not be read.
    """
    row = connection.execute(
        """
        select min(days.date_day)
        from (
            select *, max(asked_at) over (partition by stream) as newest_at
            from ops.account_reads
            where source = %(source)s and connection_id = %(connection_id)s
        ) as reads
        inner join ops.loaded_days as days
            on days.source = reads.source and days.connection_id = reads.connection_id and days.stream = reads.stream
            and days.date_day > reads.first_day and days.date_day >= %(oldest)s
        where
            reads.asked_at = reads.newest_at
            and reads.read_at = reads.asked_at
            and not exists (
                select from ops.loaded_days as loaded
                where loaded.source = reads.source and loaded.connection_id = reads.connection_id
                    and loaded.stream = reads.stream and loaded.date_day = days.date_day
                    and loaded.account in ('', reads.account)
            )
        """,
        {
            "source": source_name,
            "connection_id": connection_id,
            "oldest": day - timedelta(days=FURTHEST_GAP_DAYS),
        },
    ).fetchone()
    return row[0] if row else None
