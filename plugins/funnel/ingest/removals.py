"""Removal: rows leave `raw` because a complete export lacks them, or because their source is withdrawn.

An incremental build cannot find removed rows: the next build after a removal is therefore a full one (`funnel.ledger`),
which compares all rows and publishes what changed. Vendors' own retractions are not removed here: their windows are
compared day by day when they are loaded.
"""

from typing import Any

import psycopg
from psycopg import sql

from funnel import warehouse
from funnel.contract import Source, Stream, raw_table

EVERYTHING = sql.SQL("true")


def count_rows(
    connection: psycopg.Connection[Any],
    source: Source,
    stream: Stream,
    connection_id: str,
    where: sql.Composable = EVERYTHING,
) -> int:
    """The number of rows of one connection that `remove_rows` would remove; 0 if the stream was never loaded."""
    name = raw_table(source, stream)
    if not warehouse.has_table(connection, "raw", name):
        return 0
    row = connection.execute(
        sql.SQL("select count(*) from {} as stored where stored._connection_id = {} and ({})").format(
            sql.Identifier("raw", name), sql.Literal(connection_id), where
        )
    ).fetchone()
    return int(row[0]) if row else 0


def remove_rows(
    connection: psycopg.Connection[Any],
    source: Source,
    stream: Stream,
    connection_id: str,
    reason: str,
    where: sql.Composable = EVERYTHING,
    load_id: int | None = None,
) -> int:
    """Delete rows of one connection and record the removal in ops.removals; returns the number of rows.

    `where` is a condition on the raw row, whose alias is `stored`. Run it as role loader, in a transaction that holds
    the shared build lock (`ledger.BUILD_LOCK`): a build sees the rows or the removal, never a part of both.
    """
    name = raw_table(source, stream)
    if not warehouse.has_table(connection, "raw", name):
        return 0
    removed = connection.execute(
        sql.SQL("delete from {} as stored where stored._connection_id = {} and ({})").format(
            sql.Identifier("raw", name), sql.Literal(connection_id), where
        )
    ).rowcount
    if removed:
        connection.execute(
            """
            insert into ops.removals (load_id, source, connection_id, stream, reason, rows_removed)
            values (%s, %s, %s, %s, %s, %s)
            """,
            (load_id, source.name, connection_id, stream.name, reason, removed),
        )
    return removed
