"""Runs the statistics between two runs of dbt: they read results of the first run and write tables that the second run
reads.

A `Computation` is a query, a function of its rows and a table of schema `statistics`; dbt reads the table as
`source('statistics', …)` in models/staging/statistics/. A group (mostly a month) is computed only if its inputs changed
since the publication in effect. Rows that stay the same are not written; the keys of changed rows go to
`marts_changes.<table>`, from which models downstream take their scope.

The same inputs give the same rows: they come in a total order, seeds are fixed, numbers are rounded to 12 decimals. The
meaning of the numbers is documented elsewhere: the functions are in modules of their own, and dbt documents the
columns.
"""

import inspect
import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from funnel import ledger, warehouse
from funnel.build.computations.catalogue import COMPUTATIONS, Computation
from funnel.build.errors import StatisticsFailed

DECIMALS = 12


def run(
    connection: psycopg.Connection[Any], build: ledger.Build, computations: Sequence[Computation] = COMPUTATIONS
) -> dict[str, int]:
    """Bring every table of `statistics` up to date; returns the number of changed rows by table.

    `connection` is the builder's and holds the build lock. Raises StatisticsFailed; tables written before the failure
    are kept, and the next build compares them again.
    """
    published = ledger.publication_in_effect(connection)
    parameters = {
        "as_of": build.as_of,
        "published_as_of": published["as_of"] if published else None,
        "build_id": build.build_id,
    }
    changed = {}
    for each in computations:
        try:
            with connection.transaction():
                changed[each.name] = _bring_up_to_date(connection, build, each, parameters)
        except psycopg.Error as error:
            raise StatisticsFailed(
                f"Statistic {each.name} could not be read or written: {str(error).strip()}\n"
                f"What to do: its queries are in plugins/funnel/build/computations/engine.py and read "
                f"{', '.join(each.reads)}; "
                "correct them and run `build_funnel` again. Nothing was published."
            ) from error
    return changed


def _bring_up_to_date(
    connection: psycopg.Connection[Any], build: ledger.Build, each: Computation, parameters: dict[str, Any]
) -> int:
    is_full = _ensure_tables(connection, each, is_full=build.is_full) or build.is_full
    groups = None if is_full else _changed_groups(connection, each, parameters)
    if groups == []:
        return 0
    return _write(connection, build, each, list(_results(connection, each, parameters, groups)), groups)


def _ensure_tables(connection: psycopg.Connection[Any], each: Computation, *, is_full: bool) -> bool:
    """Create the table and its list of changes; returns true if the table had to be created again."""
    names = _identifiers(each)
    stored = warehouse.columns(connection, "statistics", each.name)
    is_new = stored != dict(each.columns)
    if is_new:
        columns = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in each.columns.items()
        )
        # With the views that depend on it; a full build creates them again.
        connection.execute(sql.SQL("drop table if exists {table} cascade").format(**names))
        connection.execute(sql.SQL("create table {table} ({}, primary key ({key}))").format(columns, **names))
    if is_full or is_new:
        connection.execute(sql.SQL("drop table if exists {changes}").format(**names))
        connection.execute(
            sql.SQL(
                "create table {changes} as select {key}, null::bigint as build_id from {table} with no data"
            ).format(**names)
        )
    return is_new


def _changed_groups(connection: psycopg.Connection[Any], each: Computation, parameters: dict[str, Any]) -> list[Any]:
    queries = [sql.SQL("select changed.* from ({}) as changed (group_key)").format(_code(one)) for one in each.changed]
    found = connection.execute(sql.SQL("{} order by 1").format(sql.SQL(" union ").join(queries)), parameters).fetchall()
    return [group for (group,) in found if group is not None]


def _code(query: str) -> sql.SQL:
    """The query of a Computation as SQL. It is safe to compose: it is written in this package, not by a user."""
    return sql.SQL(query)  # type: ignore[arg-type]


def _results(
    connection: psycopg.Connection[Any],
    each: Computation,
    parameters: dict[str, Any],
    groups: list[Any] | None,
) -> Iterator[tuple[Any, ...]]:
    """The results of every group; only one group's inputs are in memory at a time."""
    query = sql.SQL("select * from ({inputs}) as inputs where {limit} order by {order}").format(
        inputs=_code(each.inputs),
        limit=sql.SQL("true" if groups is None else "{} = any(%(groups)s)").format(sql.Identifier(each.group)),
        order=sql.SQL(", ").join(map(sql.Identifier, (each.group, *each.order))),
    )
    with connection.cursor(name=f"inputs_of_{each.name}", row_factory=dict_row) as cursor:
        cursor.itersize = 10_000
        cursor.execute(query, {**parameters, "groups": groups})
        for group, rows in groupby(cursor, key=itemgetter(each.group)):
            try:
                for row in each.compute(list(rows)):
                    stored = {each.group: group, **row}
                    yield tuple(_stored(name, stored[name], kind) for name, kind in each.columns.items())
            except (ArithmeticError, ValueError, TypeError, LookupError) as error:
                raise StatisticsFailed(
                    f"Statistic {each.name} could not be computed for {each.group} {group}: "
                    f"{type(error).__name__}: {error}\n"
                    f"What to do: look at its rows of this group in {', '.join(each.reads)}; repair the delivery, or "
                    f"{inspect.getfile(each.compute)}. Nothing was published."
                ) from error


def _stored(name: str, value: Any, kind: str) -> Any:
    """A result in the form in which the table stores it; a missing value is null. Raises ValueError for a number that
    is not finite.
    """
    if kind != "numeric" or value is None or isinstance(value, Decimal | int):
        return value
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{name} came out as {number}; a missing value must be null")
    return Decimal(f"{number:.{DECIMALS}f}").normalize()


def _write(
    connection: psycopg.Connection[Any],
    build: ledger.Build,
    each: Computation,
    results: list[tuple[Any, ...]],
    groups: list[Any] | None,
) -> int:
    """Replace the rows that differ in the computed groups, and list their keys."""
    names = _identifiers(each)
    within = sql.SQL("true") if groups is None else sql.SQL("stored.{group} = any(%(groups)s)").format(**names)
    names["within"] = within
    names["same"] = sql.SQL(" and ").join(
        sql.SQL("stored.{0} = computed.{0}").format(sql.Identifier(name)) for name in each.key
    )
    parameters = {"groups": groups, "build_id": build.build_id}
    connection.execute(sql.SQL("create temporary table {computed} (like {table}) on commit drop").format(**names))
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("copy {computed} ({columns}) from stdin").format(**names)) as copy,
    ):
        for row in results:
            copy.write_row(row)
    connection.execute(
        sql.SQL(
            """
            create temporary table {differing} on commit drop as
            select {columns} from {computed}
            except
            select {columns} from {table} as stored where {within}
            """
        ).format(**names),
        parameters,
    )
    names["removed"] = sql.SQL(
        """
        from {table} as stored
        where
            {within}
            and (
                not exists (select from {computed} as computed where {same})
                or exists (select from {differing} as computed where {same})
            )
        """
    ).format(**names)
    changed = connection.execute(
        sql.SQL(
            """
            insert into {changes} ({key}, build_id)
            select {key}, %(build_id)s from (select {key} {removed} union select {key} from {differing}) as changed
            """
        ).format(**names),
        parameters,
    ).rowcount
    connection.execute(sql.SQL("delete {removed}").format(**names), parameters)
    connection.execute(sql.SQL("insert into {table} ({columns}) select {columns} from {differing}").format(**names))
    connection.execute(sql.SQL("analyze {table}").format(**names))
    connection.execute(sql.SQL("analyze {changes}").format(**names))
    return changed


def _identifiers(each: Computation) -> dict[str, sql.Composable]:
    return {
        "table": sql.Identifier("statistics", each.name),
        "changes": sql.Identifier("marts_changes", each.name),
        "computed": sql.Identifier("pg_temp", f"{each.name}__computed"),
        "differing": sql.Identifier("pg_temp", f"{each.name}__differing"),
        "group": sql.Identifier(each.group),
        "key": sql.SQL(", ").join(map(sql.Identifier, each.key)),
        "columns": sql.SQL(", ").join(map(sql.Identifier, each.columns)),
    }
