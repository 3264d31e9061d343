"""Connections to the warehouse, and look-ups in its catalogue of schemas, tables and columns.

No table is named here.
"""

from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from funnel import settings


class WarehouseError(Exception):
    """The warehouse does not answer. The message says why and what to do."""


def connect(role: settings.Role = "pipeline", **arguments: Any) -> psycopg.Connection[Any]:
    """Open a warehouse connection as `role`, with the session in UTC. Raises WarehouseError if the server does not
    answer.
    """
    try:
        connection = psycopg.connect(settings.dsn(role), **arguments)
    except psycopg.OperationalError as error:
        raise WarehouseError(
            f"The warehouse does not answer as role {role}: {str(error).strip()}\n"
            "What to do: `make status` shows whether the server runs, `make up` starts it and creates the roles."
        ) from error
    autocommit = connection.autocommit
    connection.autocommit = True
    connection.execute("set time zone 'UTC'")
    connection.autocommit = autocommit
    return connection


def dicts(
    connection: psycopg.Connection[Any], query: str | sql.Composed, parameters: Any = None
) -> list[dict[str, Any]]:
    """The rows of a query as dictionaries by column."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode() if isinstance(query, str) else query, parameters).fetchall()


def tables(connection: psycopg.Connection[Any], schema: str) -> list[str]:
    """The tables of a schema, by name."""
    query = "select tablename from pg_tables where schemaname = %s order by tablename"
    return [name for (name,) in connection.execute(query, (schema,)).fetchall()]


def has_table(connection: psycopg.Connection[Any], schema: str, table: str) -> bool:
    """True if there is a table or view of this name."""
    row = connection.execute("select to_regclass(format('%%I.%%I', %s::text, %s::text))", (schema, table)).fetchone()
    return row is not None and row[0] is not None


def columns(connection: psycopg.Connection[Any], schema: str, table: str) -> dict[str, str]:
    """Column names in order with their types as SQL writes them; empty when there is no such table."""
    return dict(
        connection.execute(
            """
            select attname, format_type(atttypid, atttypmod)
            from pg_attribute
            where attrelid = to_regclass(format('%%I.%%I', %s::text, %s::text)) and attnum > 0 and not attisdropped
            order by attnum
            """,
            (schema, table),
        ).fetchall()
    )
