"""Removal: rows leave `raw` because a complete export lacks them, or because their source is withdrawn.

An incremental build cannot find removed rows: the next build after a removal is therefore a full one (`funnel.ledger`),
which compares all rows and publishes what changed. Vendors' own retractions are not removed here: their windows are
compared day by day when they are loaded.
"""

from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from funnel import warehouse
from funnel.contract import Source, Stream, raw_table

EVERYTHING = sql.SQL("true")


@dataclass(frozen=True)
class Rows:
    """Rows of one connection in a raw table: all, or those of a condition on the row, whose alias is `stored`."""

    source: Source
    stream: Stream
    connection_id: str
    where: sql.Composable = field(default_factory=lambda: EVERYTHING)

    @property
    def table(self) -> str:
        """The raw table's name."""
        return raw_table(self.source, self.stream)

    @property
    def query(self) -> sql.Composable:
        """The statement from its `from` on."""
        return sql.SQL("from {} as stored where stored._connection_id = {} and ({})").format(
            sql.Identifier("raw", self.table), sql.Literal(self.connection_id), self.where
        )


def count_rows(connection: psycopg.Connection[Any], rows: Rows) -> int:
    """The number of rows that `remove_rows` would remove; 0 if the stream was never loaded."""
    if not warehouse.has_table(connection, "raw", rows.table):
        return 0
    row = connection.execute(sql.SQL("select count(*) {}").format(rows.query)).fetchone()
    return int(row[0]) if row else 0


def remove_rows(connection: psycopg.Connection[Any], rows: Rows, reason: str, load_id: int | None = None) -> int:
    """Delete rows and record the removal in ops.removals; returns the number of rows.

    Run it as role loader, in a transaction that holds the shared build lock (`ledger.BUILD_LOCK`): a build sees the
    rows or the removal, never a part of both.
    """
    if not warehouse.has_table(connection, "raw", rows.table):
        return 0
    removed = connection.execute(sql.SQL("delete {}").format(rows.query)).rowcount
    if removed:
        connection.execute(
            """
            insert into ops.removals (load_id, source, connection_id, stream, reason, rows_removed)
            values (%s, %s, %s, %s, %s, %s)
            """,
            (load_id, rows.source.name, rows.connection_id, rows.stream.name, reason, removed),
        )
    return removed
