"""Measures for how long a vendor changes a day, and derives the window (ING-6).

A load of a dated stream compares its rows with the stored ones; the differences are recorded by day, with the day's
age. Ages come from the times of the reads, not from the clock, so a replay records the same. Changed streams are not
measured: their vendors are asked for changes, not for days.
"""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from funnel import settings
from funnel.contract import Source, Stream
from funnel.ingest.accounts import Accounts, is_of
from funnel.ingest.landing import LandedRead

# Days read beyond the oldest age that changed. Changes at the edge of the window are thus found a week further on.
MARGIN_DAYS = 7
# After so many days of reads without changes the window shrinks again (ING-6).
MEMORY_DAYS = 90
# A change found by a single read may be a vendor's one-time correction, or a new column of ours: it does not recur.
READS_THAT_PROVE = 2
# A window below the vendor's statement requires reads on this many days that reached as far and found no change.
READS_THAT_DISPROVE = 14


@dataclass(frozen=True)
class Measure:
    """What the reads of a connection have shown: the oldest age in days that changed, and the number of days that were
    read as late as the vendor's statement.
    """

    oldest_moving_age: int | None
    days_of_full_reads: int


def measured(stream: Stream) -> list[str]:
    """The columns of a stream that hold measures."""
    return [one.name for one in stream.columns if one.type in ("bigint", "numeric") and one.name not in stream.key]


def note(
    connection: psycopg.Connection[Any],
    stream: Stream,
    landed: LandedRead,
    load_id: int,
    read: Accounts,
    compared: sql.Identifier,
) -> None:
    """Record, by day, what a read changes in days that were read before.

    `compared` holds for each day and account the number of rows stored and received, of new, changed and vanished rows,
    and each measure's sum before and after. The first read of an account changes no day.
    """
    known = _known(connection, stream, landed, read)
    measures = sql.SQL(", ").join(
        sql.SQL("{}, jsonb_build_array(coalesce(sum({}), 0), coalesce(sum({}) filter (where {}), 0))").format(
            sql.Literal(name), sql.Identifier(f"before_{name}"), sql.Identifier(f"after_{name}"), known
        )
        for name in measured(stream)
    )
    connection.execute(
        sql.SQL(
            """
            with totals as (
                select
                    {day} as date_day,
                    sum(rows_before) as rows_before,
                    coalesce(sum(rows_after) filter (where {known}), 0) as rows_after,
                    sum(vanished) + coalesce(sum(new + changed) filter (where {known}), 0) as rows_changed,
                    jsonb_build_object({measures}) as measures
                from {compared} as incoming
                where rows_before > 0 or {known}
                group by 1
            ),
            -- Of several accounts the one that was read longest ago says since when a day may have changed.
            read_before as (
                select date_day, min(fetched_at) as fetched_at
                from (
                    select asked.account, days.date_day, max(days.fetched_at) as fetched_at
                    from unnest(%(accounts)s::text[]) as asked (account)
                    inner join ops.loaded_days as days on days.account in ('', asked.account) or asked.account = ''
                    where days.source = %(source)s and days.connection_id = %(connection_id)s
                        and days.stream = %(stream)s
                        and days.date_day >= %(start)s and days.date_day < %(end)s
                    group by 1, 2
                ) as by_account
                group by date_day
            )
            insert into ops.day_changes (
                load_id, source, connection_id, stream, date_day, age_days, age_before, rows_before, rows_after,
                rows_changed, measures, fetched_at
            )
            select
                %(load_id)s, %(source)s, %(connection_id)s, %(stream)s, read_before.date_day,
                %(fetched_at)s::date - read_before.date_day - 1,
                read_before.fetched_at::date - read_before.date_day - 1,
                coalesce(totals.rows_before, 0),
                coalesce(totals.rows_after, 0),
                coalesce(totals.rows_changed, 0),
                coalesce(totals.measures, '{{}}'),
                %(fetched_at)s
            from read_before
            left join totals on read_before.date_day = totals.date_day
            where read_before.fetched_at < %(fetched_at)s
            """
        ).format(
            day=sql.Identifier(stream.day or ""),
            measures=measures,
            compared=compared,
            known=known,
        ),
        {
            "accounts": [""] if read.read is None else list(read.read),
            "load_id": load_id,
            "source": landed.source,
            "connection_id": landed.connection_id,
            "stream": landed.stream,
            "fetched_at": landed.fetched_at,
            "start": landed.window.from_day,
            "end": landed.window.to_day,
        },
    )


def _known(connection: psycopg.Connection[Any], stream: Stream, landed: LandedRead, read: Accounts) -> sql.Composable:
    """The SQL condition that a row's day was read before for its account."""
    if read.read is None:
        return sql.SQL("true")
    days = connection.execute(
        """
        select account, date_day from ops.loaded_days
        where source = %s and connection_id = %s and stream = %s and date_day >= %s and date_day < %s
        """,
        (
            *(landed.source, landed.connection_id, landed.stream),
            *(landed.window.from_day, landed.window.to_day),
        ),
    ).fetchall()
    seen, whole = set(days), {day for account, day in days if account == ""}
    if all(day in whole or (account, day) in seen for account in read.read for day in landed.window.days):
        return sql.SQL("true")
    return is_of(days, stream, "incoming")


def measure(connection: psycopg.Connection[Any], source: Source, connection_id: str) -> Measure:
    """The results of the last 90 days of reads of a connection, counted back from the newest.

    A day that was read at age 3 and at age 40 may have changed at any age from 4 on: only age 4 counts as shown, and
    the margin covers the rest.
    """
    row = connection.execute(
        """
        with reads as (
            select
                fetched_at::date as read_on,
                max(least(age_before + 1, age_days)) filter (where rows_changed > 0 and age_before >= 0) as moved_age,
                max(age_days) as oldest_age
            from ops.day_changes
            where source = %(source)s and connection_id = %(connection_id)s
                and fetched_at > (
                    select max(fetched_at) - %(memory)s * interval '1 day'
                    from ops.day_changes where source = %(source)s and connection_id = %(connection_id)s
                )
            group by 1
        )
        select
            (array_agg(moved_age order by moved_age desc nulls last))[%(proof)s],
            count(*) filter (where oldest_age >= %(stated)s)
        from reads
        """,
        {
            "source": source.name,
            "connection_id": connection_id,
            "memory": MEMORY_DAYS,
            "proof": READS_THAT_PROVE,
            "stated": source.restatement_days,
        },
    ).fetchone()
    return Measure(row[0], row[1]) if row else Measure(None, 0)


def days_to_read_again(source: Source, measured: Measure) -> int:
    """The number of days before its own that a scheduled run reads.

    As the vendor states, or more if days were seen to change later, up to the limit of the vendor's data or crediting.
    Less than the vendor states only if FUNNEL_RESTATEMENT requests it.
    """
    chosen = settings.restatement(source.name)
    if isinstance(chosen, int):
        return chosen
    age = measured.oldest_moving_age
    furthest = max(source.restatement_days, source.longest_restatement_days)
    needed = 0 if age is None else min(age + MARGIN_DAYS, furthest)
    if chosen == "measured" and measured.days_of_full_reads >= READS_THAT_DISPROVE:
        return needed
    return max(source.restatement_days, needed)
