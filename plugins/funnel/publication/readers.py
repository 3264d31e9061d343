"""Sessions of readers that would stop a publication, and how they are ended (OPS-8).

A reader takes no lock but that of reading. It lasts to the end of its transaction, and a change of a table's columns
waits for it. Limits of the roles end such transactions, but a session may raise its own limits.
"""

import logging
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from funnel.publication.errors import PublishError

log = logging.getLogger(__name__)

LOCK_SECONDS = 3
ATTEMPTS = 10
# As privileges.PEOPLE and privileges.DASHBOARDS say; PostgreSQL 15 and 16 have no such limit of their own.
LONGEST_MINUTES = 30

READERS: LiteralString = """
    select login.rolname
    from pg_roles as login
    where not login.rolsuper and (
        login.rolname = 'bi_reader' or login.oid in (
            select membership.member
            from pg_auth_members as membership
            inner join pg_roles as held on held.oid = membership.roleid
            where held.rolname in ('bi_reader', 'dashboards')
        )
    )
"""
LONG: LiteralString = """
    select pid, pg_terminate_backend(pid, 2000) from pg_stat_activity
    where usename = any(%(readers)s) and xact_start < clock_timestamp() - make_interval(mins => %(minutes)s)
"""
HOLDING: LiteralString = """
    select pid, pg_terminate_backend(pid, 2000) from pg_stat_activity
    where usename = any(%(readers)s) and pid in (
        select pid from pg_locks where relation = format('%%I.%%I', %(schema)s::text, %(table)s::text)::regclass
    )
"""


def end_long_readers(connection: psycopg.Connection[Any]) -> None:
    """End readers' transactions that are older than the limit of people: they keep PostgreSQL from removing old
    rows.
    """
    _end(connection, LONG, {"minutes": LONGEST_MINUTES})


def lock_from_readers(connection: psycopg.Connection[Any], schema: str, table: str) -> None:
    """Lock a table for a change of its columns; readers that still read it after three seconds are ended.

    Raises PublishError if other sessions keep the table locked.
    """
    lock = sql.SQL("lock table {} in access exclusive mode").format(sql.Identifier(schema, table))
    for _ in range(ATTEMPTS):
        try:
            with connection.transaction():
                connection.execute(sql.SQL("set local lock_timeout = {}").format(sql.Literal(f"{LOCK_SECONDS}s")))
                connection.execute(lock)
                connection.execute("set local lock_timeout = 0")
                return
        except psycopg.errors.LockNotAvailable:
            _end(connection, HOLDING, {"schema": schema, "table": table})
    raise PublishError(
        f"{schema}.{table} must change its columns, but another session keeps it locked; readers keep what they see. "
        "Find it in pg_locks, end it with pg_terminate_backend, and run `build_funnel` again."
    )


def _end(connection: psycopg.Connection[Any], statement: LiteralString, parameters: dict[str, Any]) -> None:
    readers = [name for (name,) in connection.execute(READERS).fetchall()]
    try:
        with connection.transaction():
            ended = connection.execute(statement, parameters | {"readers": readers}).fetchall()
    except psycopg.errors.InsufficientPrivilege as error:
        log.warning("Readers that block this publication cannot be ended: %s", str(error).strip())
        return
    for pid, _ in ended:
        log.warning("The session %s of a reader was ended: it had a table of bi locked, or was open too long.", pid)
