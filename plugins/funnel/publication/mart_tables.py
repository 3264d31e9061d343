"""The tables of `marts` and `bi`: their columns and keys, and SQL that compares their rows."""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from funnel import warehouse
from funnel.publication.errors import PublishError


@dataclass(frozen=True)
class Mart:
    """One table of the marts: its name, its columns in order and the columns of its primary key."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    @property
    def identifiers(self) -> dict[str, sql.Composable]:
        """The SQL names of the mart in each schema, for the statements of `publication`."""
        return {
            "mart": sql.Identifier("marts", self.name),
            "shown": sql.Identifier("bi", self.name),
            "history": sql.Identifier("bi_history", self.name),
            "changes": sql.Identifier("marts_changes", self.name),
            "leaving": sql.Identifier("pg_temp", f"leaving__{self.name}"),
            "columns": name_list(self.columns),
            "key": name_list(self.key),
        }


def built_marts(connection: psycopg.Connection[Any]) -> list[Mart]:
    """The tables of schema `marts`, by name. Raises PublishError for a table without a primary key."""
    marts = []
    for name in warehouse.tables(connection, "marts"):
        key = tuple(
            row[0]
            for row in connection.execute(
                """
                select attribute.attname
                from pg_index as index
                cross join lateral unnest(index.indkey) with ordinality as part (attnum, position)
                inner join pg_attribute as attribute
                    on attribute.attrelid = index.indrelid and attribute.attnum = part.attnum
                where index.indrelid = format('marts.%%I', %s::text)::regclass and index.indisprimary
                order by part.position
                """,
                (name,),
            )
        )
        if not key:
            raise PublishError(f"marts.{name} has no primary key: give its model a unique_key. Nothing was published.")
        marts.append(Mart(name, tuple(warehouse.columns(connection, "marts", name)), key))
    return marts


def published(connection: psycopg.Connection[Any]) -> list[Mart]:
    """The published tables with the columns that `bi` and its history have in common."""
    return [
        Mart(
            name,
            tuple(column for column in warehouse.columns(connection, "bi", name) if column != "publication_id"),
            (),
        )
        for name in warehouse.tables(connection, "bi")
    ]


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


def differ(mart: Mart) -> sql.Composed:
    """The SQL condition that the shown row differs from the built one."""
    return sql.SQL("row({}) is distinct from row({})").format(
        name_list(mart.columns, "shown"), name_list(mart.columns, "built")
    )
