"""Copies the first read of a table straight into it, and then builds the indexes over all rows."""

import psycopg
from psycopg import sql

from funnel.ingest import accounts
from funnel.ingest.copying import copy_read
from funnel.ingest.json_rows import Tally
from funnel.ingest.raw_tables import Loading, create_index_of_loads, create_indexes, drop_indexes

# From this many bytes on, a first read is copied into its table without indexes, which are built at the end.
WORTH_FILLING = 1_000_000


def fill(loading: Loading) -> Tally | None:
    """Copy a first read straight into its table and build the indexes over all rows: half the work of an upsert.

    Returns None without a change if the table holds rows, if the read contains one key twice, if the read is so small
    that updating the indexes is faster than building them again, or if days of the read are known to have had no rows.
    """
    connection, stream, target, landed = loading.connection, loading.stream, loading.target, loading.landed
    if not loading.is_of_files and landed.size < WORTH_FILLING:
        return None
    if _holds_rows(loading):
        return None
    connection.execute("set local maintenance_work_mem = '256MB'")
    try:
        with connection.transaction():
            connection.execute(sql.SQL("lock table {} in access exclusive mode").format(target.table))
            if _holds_rows(loading):
                return None
            # PostgreSQL need not log rows of a table that was emptied in the same transaction, if nothing replicates
            # the server.
            connection.execute(sql.SQL("truncate {}").format(target.table))
            drop_indexes(connection, target)
            create_index_of_loads(connection, target, loading.load_id)
            tally = copy_read(loading, target.table)
            accounts.set_aside(connection, stream, landed, target.table, loading.secret, tally)
            create_indexes(connection, stream, target)
    except psycopg.errors.UniqueViolation:
        return None
    return tally


def _holds_rows(loading: Loading) -> bool:
    """True if the table holds rows, or days of the read are known to have had none."""
    landed = loading.landed
    found = loading.connection.execute(
        sql.SQL(
            "select exists (select from {}) or exists (select from ops.loaded_days "
            "where source = %s and connection_id = %s and stream = %s and date_day >= %s and date_day < %s)"
        ).format(loading.target.table),
        landed.scope,
    ).fetchone()
    return found == (True,)
