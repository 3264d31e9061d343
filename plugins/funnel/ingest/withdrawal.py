"""Withdrawal: removes the rows of an inbox source whose folder was removed from `raw`, and with the next build from the
marts. Published rows stay in `bi_history`. If the folder returns, its files are read again.
"""

import psycopg
from psycopg import sql

from funnel import ledger, warehouse
from funnel.contract import raw_table
from funnel.ingest import removals
from funnel.ingest.errors import WithdrawalRefused
from funnel.ingest.removals import Rows
from funnel.sources import SOURCES

FILES = SOURCES["files"]


def sources() -> list[str]:
    """The sources of the inbox that were accepted at least once and not withdrawn since."""
    query = "select connection_id from ops.sources where source = %s order by connection_id"
    with warehouse.connect("loader") as connection:
        return [source for (source,) in connection.execute(query, (FILES.name,))]


def count(source: str) -> dict[str, int]:
    """The number of rows of each entity that a withdrawal would remove. Raises WithdrawalRefused for an
    unknown source.
    """
    known = sources()
    if source not in known:
        raise WithdrawalRefused(
            f"No source {source!r} was loaded from an inbox. Loaded are: {', '.join(known) or 'none'}."
        )
    with warehouse.connect("loader") as connection:
        counted = {
            stream.name: removals.count_rows(connection, Rows(FILES, stream, source)) for stream in FILES.streams
        }
    return {entity: rows for entity, rows in counted.items() if rows}


def withdraw(source: str) -> dict[str, int]:
    """Remove a source's rows in one transaction; returns their number by entity. The next build is a full one."""
    count(source)
    removed = {}
    with warehouse.connect("loader") as connection, connection.transaction():
        connection.execute("select pg_advisory_xact_lock_shared(%s)", (ledger.BUILD_LOCK,))
        for stream in FILES.streams:
            name = raw_table(FILES, stream)
            connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,))
            rows = removals.remove_rows(connection, Rows(FILES, stream, source), "withdrawal")
            if rows:
                removed[stream.name] = rows
        _forget(connection, source)
    return removed


def _forget(connection: psycopg.Connection[tuple[object, ...]], source: str) -> None:
    """Delete the source's files, quarantined rows and completeness: its files count as never loaded, and builds do not
    wait for it. A refused file stays on record as refused: nothing of it was loaded.
    """
    which = {"source": FILES.name, "connection_id": source}
    of_source = "source = %(source)s and connection_id = %(connection_id)s"
    for statement in (
        "delete from raw.quarantine where quarantine_id in (select quarantine_id from ops.quarantine where {})",
        "update ops.quarantine set replayed_at = clock_timestamp() where replayed_at is null and {}",
        "update ops.files set status = 'withdrawn' where status = 'loaded' and {}",
        "delete from ops.sources where {}",
    ):
        connection.execute(sql.SQL(statement).format(sql.SQL(of_source)), which)
