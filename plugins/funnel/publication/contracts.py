"""What the contract of a mart states besides its rows: descriptions, columns that are never null, internal columns.

dbt writes both to the catalogue of `marts`, the first from the project's YAML; publication brings `bi` in line, in its
transaction, where the two differ. A column whose name begins with an underscore serves builds and is not shown.
"""

from typing import Any, LiteralString

import psycopg
from psycopg import sql

from funnel.publication.mart_tables import Mart
from funnel.publication.readers import lock_from_readers

# bi adds one column to each mart.
PUBLICATION_ID = "Internal: the publication that brought this row (ops.publications). Not a measure."

# Tables and views of both schemas by name; a row without a column is the table itself.
OUTDATED: LiteralString = """
    with pairs as (
        select shown.oid as shown, built.oid as built, shown.relname, shown.relkind
        from pg_class as shown
        inner join pg_class as built on shown.relname = built.relname
        where
            shown.relnamespace = 'bi'::regnamespace and built.relnamespace = 'marts'::regnamespace
            and shown.relkind in ('r', 'v') and built.relkind in ('r', 'v')
    ),

    descriptions as (
        select
            relname, relkind, null as column_name,
            obj_description(built, 'pg_class') as wanted, obj_description(shown, 'pg_class') as present
        from pairs
        union all
        select
            pairs.relname, pairs.relkind, shown_column.attname,
            case
                when shown_column.attname = 'publication_id' then %s
                else col_description(pairs.built, built_column.attnum)
            end,
            col_description(pairs.shown, shown_column.attnum)
        from pairs
        inner join pg_attribute as shown_column
            on shown_column.attrelid = pairs.shown and shown_column.attnum > 0 and not shown_column.attisdropped
        left join pg_attribute as built_column
            on
                built_column.attrelid = pairs.built
                and built_column.attname = shown_column.attname
                and not built_column.attisdropped
    )

    select relname, relkind, column_name, wanted
    from descriptions
    where wanted is not null and wanted is distinct from present
    order by relname, column_name
"""
# Columns that one schema declares `not null` and the other does not.
NULLABILITY: LiteralString = """
    select shown.relname, shown_column.attname, built_column.attnotnull
    from pg_class as shown
    inner join pg_class as built on shown.relname = built.relname
    inner join pg_attribute as shown_column on shown_column.attrelid = shown.oid
    inner join pg_attribute as built_column
        on built_column.attrelid = built.oid and built_column.attname = shown_column.attname
    where
        shown.relnamespace = 'bi'::regnamespace and built.relnamespace = 'marts'::regnamespace
        and shown.relkind = 'r' and built.relkind = 'r'
        and shown_column.attnum > 0 and built_column.attnum > 0
        and not shown_column.attisdropped and not built_column.attisdropped
        and shown_column.attnotnull <> built_column.attnotnull
    order by shown.relname, shown_column.attname
"""


def describe(connection: psycopg.Connection[Any]) -> None:
    """Give tables, views and columns of `bi` the descriptions of their marts. Writes only those that differ."""
    for table, kind, column, wanted in connection.execute(OUTDATED, (PUBLICATION_ID,)).fetchall():
        shown = sql.Identifier("bi", table)
        if column is not None:
            place = sql.SQL("column {}.{}").format(shown, sql.Identifier(column))
        else:
            place = sql.SQL("{} {}").format(sql.SQL("view" if kind == "v" else "table"), shown)
        connection.execute(sql.SQL("comment on {} is {}").format(place, sql.Literal(wanted)))


def relax(connection: psycopg.Connection[Any]) -> None:
    """Before new rows come: let columns of `bi` be null that the marts may leave null."""
    _set_nullability(connection, is_required=False)


def tighten(connection: psycopg.Connection[Any]) -> None:
    """Once `bi` has the rows of the marts: the columns that these never leave null are `not null`."""
    _set_nullability(connection, is_required=True)


def admit_returning_rows(connection: psycopg.Connection[Any], mart: Mart, publication_id: int) -> None:
    """Before a roll-back: let those columns be null that are null in rows which return from the history. The contract
    may have become stricter since; the next publication restores it.
    """
    names = mart.identifiers
    required = connection.execute(
        "select attname from pg_attribute where attrelid = format('bi.%%I', %s::text)::regclass and attnum > 0 "
        "and attnotnull and not attisdropped and attname <> 'publication_id'",
        (mart.name,),
    ).fetchall()
    if not required:
        return
    tests = sql.SQL(", ").join(sql.SQL("bool_or({} is null)").format(sql.Identifier(name)) for (name,) in required)
    query = sql.SQL("select {} from {history} where replaced_by = {} and publication_id <> {}")
    identity = sql.Literal(publication_id)
    found = connection.execute(query.format(tests, identity, identity, **names)).fetchone() or ()
    for (name,), is_missing in zip(required, found, strict=False):
        if is_missing:
            _alter(connection, mart.name, name, is_required=False)


def _set_nullability(connection: psycopg.Connection[Any], *, is_required: bool) -> None:
    for table, column, wanted in connection.execute(NULLABILITY).fetchall():
        if wanted == is_required:
            _alter(connection, table, column, is_required=is_required)


def _alter(connection: psycopg.Connection[Any], table: str, column: str, *, is_required: bool) -> None:
    lock_from_readers(connection, "bi", table)
    verb = sql.SQL("set not null" if is_required else "drop not null")
    statement = sql.SQL("alter table {} alter column {} {}")
    connection.execute(statement.format(sql.Identifier("bi", table), sql.Identifier(column), verb))
