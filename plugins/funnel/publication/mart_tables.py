"""The tables of `marts` and `bi`: their columns and keys, and SQL that compares their rows."""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from funnel import warehouse
from funnel.publication.errors import PublishError


@dataclass(frozen=True)
class Mart:
    """One table of the marts: its name, its columns in order with their types, and the columns of its primary key."""

    name: str
    columns: dict[str, str]
    key: tuple[str, ...]

    @property
    def identifiers(self) -> dict[str, sql.Composable]:
        """The SQL names of the mart in each schema, for the statements of `publication` and `undo`."""
        return {
            "mart": sql.Identifier("marts", self.name),
            "shown": sql.Identifier("bi", self.name),
            "history": sql.Identifier("bi_history", self.name),
            "changes": sql.Identifier("marts_changes", self.name),
            "touched": sql.Identifier("pg_temp", f"touched__{self.name}"),
            "differing": sql.Identifier("pg_temp", f"differing__{self.name}"),
            "columns": name_list(tuple(self.columns)),
            "key": name_list(self.key),
        }


def built_marts(connection: psycopg.Connection[Any]) -> list[Mart]:
    """The tables of schema `marts`, by name, with the columns that readers see: those whose name begins with an
    underscore serve builds. Raises PublishError for a table without a primary key.
    """
    marts = []
    for name in warehouse.tables(connection, "marts"):
        key = next((columns for _, is_primary, columns in keys(connection, "marts", name) if is_primary), None)
        if not key:
            raise PublishError(f"marts.{name} has no primary key: give its model a unique_key. Nothing was published.")
        columns = warehouse.columns(connection, "marts", name)
        shown = {column: kind for column, kind in columns.items() if not column.startswith("_")}
        marts.append(Mart(name, shown, key))
    return marts


def keys(connection: psycopg.Connection[Any], schema: str, table: str) -> list[tuple[str, bool, tuple[str, ...]]]:
    """The indexes of a table: name, whether it is the primary key, and columns."""
    found = connection.execute(
        """
        select relation.relname, index.indisprimary, array_agg(attribute.attname::text order by part.position)
        from pg_index as index
        inner join pg_class as relation on index.indexrelid = relation.oid
        cross join lateral unnest(index.indkey) with ordinality as part (attnum, position)
        inner join pg_attribute as attribute
            on attribute.attrelid = index.indrelid and attribute.attnum = part.attnum
        where index.indrelid = to_regclass(format('%%I.%%I', %s::text, %s::text))
        group by relation.relname, index.indisprimary
        """,
        (schema, table),
    )
    return [(name, is_primary, tuple(columns)) for name, is_primary, columns in found]


def published(connection: psycopg.Connection[Any]) -> list[Mart]:
    """The published tables with the columns that `bi` and its history have in common."""
    marts = []
    for name in warehouse.tables(connection, "bi"):
        columns = warehouse.columns(connection, "bi", name)
        columns.pop("publication_id", None)
        marts.append(Mart(name, columns, ()))
    return marts


def name_list(columns: tuple[str, ...], qualifier: str | None = None) -> sql.Composed:
    """The columns as a comma-separated SQL list, with the qualifier before each if one is given."""
    return sql.SQL(", ").join(
        sql.Identifier(qualifier, column) if qualifier else sql.Identifier(column) for column in columns
    )


def same_key(mart: Mart, left: str, right: str) -> sql.Composed:
    """The SQL condition that two aliases hold rows with the same key."""
    return sql.SQL(" and ").join(
        sql.SQL("{} = {}").format(sql.Identifier(left, column), sql.Identifier(right, column)) for column in mart.key
    )


def differing(mart: Mart, stored: dict[str, str], touched: sql.Composable | None) -> sql.Composed:
    """The `from … where` of a query over the rows in which `bi` and `marts` differ, as aliases `shown` and `built`.

    `place` is the row's place in its table, null on the side that has no row of this key. `stored` are the columns of
    `bi`, which may be older than the mart's; with `touched`, a relation of keys, only these are compared. Publication
    and plan both use it, so that they cannot disagree.
    """
    return sql.SQL(
        """
        from ({shown_rows}) as shown
        full join ({built_rows}) as built on {same_key}
        where row({shown_columns}) is distinct from row({built_columns})
        """
    ).format(
        shown_rows=shown_rows(mart, stored, touched),
        built_rows=sql.SQL("select built.ctid as place, {columns} from {mart} as built where {limit}").format(
            **mart.identifiers, limit=_limit(mart, "built", touched)
        ),
        same_key=same_key(mart, "shown", "built"),
        shown_columns=name_list(tuple(mart.columns), "shown"),
        built_columns=name_list(tuple(mart.columns), "built"),
    )


def shown_rows(mart: Mart, stored: dict[str, str], touched: sql.Composable | None) -> sql.Composed:
    """The rows of `bi` with the mart's columns: null where `bi` lacks one, converted where its type differs."""
    columns = []
    for name, kind in mart.columns.items():
        expression = sql.SQL("shown.{}" if name in stored else "null").format(sql.Identifier(name))
        if stored.get(name) != kind:
            expression = sql.SQL("{}::{}").format(expression, sql.SQL(kind))
        columns.append(sql.SQL("{} as {}").format(expression, sql.Identifier(name)))
    listed = sql.SQL(", ").join(columns)
    if not stored:
        return sql.SQL("select null::tid as place, {} where false").format(listed)
    return sql.SQL("select shown.ctid as place, {listed} from {shown} as shown where {limit}").format(
        **mart.identifiers, listed=listed, limit=_limit(mart, "shown", touched)
    )


def _limit(mart: Mart, alias: str, touched: sql.Composable | None) -> sql.Composable:
    if touched is None:
        return sql.SQL("true")
    return sql.SQL("exists (select from {} as touched where {})").format(touched, same_key(mart, "touched", alias))
