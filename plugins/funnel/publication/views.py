"""Views of `marts` shown in `bi`: the same statement over the published tables.

Tables whose rows must not be added (several models, ages or totals) have such a view, `<table>_default`. It is read
with the rights of the reader, so that row security of its table holds.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from funnel.publication.readers import lock_from_readers


def show(connection: psycopg.Connection[Any]) -> None:
    """Create the views of `marts` in `bi`, replace those whose statement changed, and drop those that are gone."""
    wanted = definitions(connection, "marts")
    shown = definitions(connection, "bi")
    for name in _published(connection) & shown.keys():
        if wanted.get(name) != shown[name]:
            _drop(connection, name)
            del shown[name]
    with _search_path(connection, "bi"):
        for name in wanted.keys() - shown.keys():
            statement = sql.SQL("create view {} with (security_invoker = true) as {}")
            # PostgreSQL wrote the statement, without the schema of its tables.
            connection.execute(statement.format(sql.Identifier("bi", name), sql.SQL(wanted[name])))  # type: ignore[arg-type]


def release(connection: psycopg.Connection[Any]) -> None:
    """Drop the views, so that columns of their tables can be changed; `show` creates them again."""
    for name in _published(connection):
        _drop(connection, name)


def definitions(connection: psycopg.Connection[Any], schema: str) -> dict[str, str]:
    """The statement of each view of a schema, which names tables of this schema without it."""
    query = "select relname, pg_get_viewdef(oid) from pg_class where relkind = 'v' and relnamespace = %s::regnamespace"
    with _search_path(connection, schema):
        return dict(connection.execute(query, (schema,)).fetchall())


def _published(connection: psycopg.Connection[Any]) -> set[str]:
    """The views of `bi` that this module made: bi.data_status, of the migrations, has no right of its reader."""
    query = """
        select relname from pg_class
        where relkind = 'v' and relnamespace = 'bi'::regnamespace and 'security_invoker=true' = any(reloptions)
    """
    return {name for (name,) in connection.execute(query).fetchall()}


def _drop(connection: psycopg.Connection[Any], name: str) -> None:
    lock_from_readers(connection, "bi", name)
    connection.execute(sql.SQL("drop view {}").format(sql.Identifier("bi", name)))


@contextmanager
def _search_path(connection: psycopg.Connection[Any], schema: str) -> Iterator[None]:
    before = connection.execute("show search_path").fetchone()
    connection.execute(sql.SQL("set local search_path = {}").format(sql.Identifier(schema)))
    yield
    connection.execute(sql.SQL("set local search_path = {}").format(sql.SQL(before[0] if before else "public")))  # type: ignore[arg-type]
