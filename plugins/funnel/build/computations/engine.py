"""What SQL cannot compute well: between two runs of dbt, from what the first built, into tables that the second reads.

A `Computation` is a query, a function of its rows and a table of schema `statistics`; dbt reads the table as
`source('statistics', …)` in models/staging/statistics/. Of the groups of a computation (months, mostly) only those are
computed whose inputs changed since the publication in effect; rows that stay the same are not touched, and the keys of
those that changed go to `marts_changes.<table>`, from where models downstream take their scope.

The same inputs give the same rows: they come in a total order, seeds are fixed, numbers are rounded to 12 decimals.
What the numbers mean is not said here: the functions live in modules of their own, and dbt documents the columns.
"""

import hashlib
import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from funnel import ledger
from funnel.build.computations import alignment, markov, scorecard

Row = Mapping[str, Any]
DECIMALS = 12


class StatisticsFailed(Exception):
    """A statistic could not be computed. The message names it, the group, and what to do."""


@dataclass(frozen=True)
class Computation:
    """One table of schema `statistics`.

    name      the table; also its source table in dbt and its list in `marts_changes`, so no model may be called so
    reads     the models its queries read; none of them may depend on a statistic
    inputs    query of the rows to compute from, without parameters but %(as_of)s and %(build_id)s; a limit on `group`
              is put around it, and reaches the tables when the query does nothing that hides the column
    order     columns that put the rows of a group into a total order
    group     column of `inputs` and of the result: what is computed together
    changed   queries of one column: the groups whose inputs changed since the publication in effect, from
              `marts_changes.<model>`, or that time changes, from %(as_of)s and %(published_as_of)s
    columns   the table's columns with their types, the group among them; a number is `numeric`, never a float
    key       its primary key
    compute   function of the rows of one group, that gives rows without the group
    """

    name: str
    reads: tuple[str, ...]
    inputs: str
    order: tuple[str, ...]
    group: str
    changed: tuple[str, ...]
    columns: Mapping[str, str]
    key: tuple[str, ...]
    compute: Callable[[Sequence[Row]], Iterable[Row]]


COMPUTATIONS: tuple[Computation, ...] = (
    Computation(
        name="removal_effects",
        reads=("int_channel_transitions",),
        inputs="select * from intermediate.int_channel_transitions",
        order=("conversion_type", "from_channel", "to_channel"),
        group="month_start",
        changed=("select month_start from marts_changes.int_channel_transitions",),
        columns={
            "month_start": "date",
            "conversion_type": "text",
            "channel": "text",
            "conversion_rate": "numeric",
            "removal_effect": "numeric",
        },
        key=("month_start", "conversion_type", "channel"),
        compute=markov.removal_effects_by_type,
    ),
    Computation(
        name="revenue_shares",
        reads=("int_won_origins",),
        inputs="select * from intermediate.int_won_origins",
        order=("opportunity_key",),
        group="quarter_start",
        changed=("select quarter_start from marts_changes.int_won_origins",),
        columns={
            "quarter_start": "date",
            "period_start": "date",
            "period_grain": "text",
            "region": "text",
            "won": "integer",
            "customers": "integer",
            "sourced_share": "numeric",
            "sourced_low": "numeric",
            "sourced_high": "numeric",
            "influenced_share": "numeric",
            "influenced_low": "numeric",
            "influenced_high": "numeric",
            "is_sufficient": "boolean",
            "reason": "text",
        },
        key=("quarter_start", "period_start", "period_grain", "region"),
        compute=alignment.revenue_shares,
    ),
    # Leads that are alike are counted together: how young a lead is follows from as_of, and only until the horizon.
    Computation(
        name="close_rates",
        reads=("int_lead_fates",),
        inputs="""
            select
                created_quarter,
                created_month,
                region,
                segment,
                is_marketing_generated,
                horizon_days,
                case when decided_at < %(as_of)s then fate else 0 end as outcome,
                greatest(
                    least(
                        extract(
                            epoch from case when decided_at < %(as_of)s then decided_at else %(as_of)s end - created_at
                        )::bigint / 86400,
                        horizon_days
                    ),
                    0
                )::integer as days,
                count(*)::integer as leads
            from intermediate.int_lead_fates
            where created_at < %(as_of)s
            group by 1, 2, 3, 4, 5, 6, 7, 8
        """,
        order=("created_month", "region", "segment", "is_marketing_generated", "outcome", "days"),
        group="created_quarter",
        changed=(
            "select created_quarter from marts_changes.int_lead_fates",
            """
            select quarters.quarter_start
            from marts.dim_dates as quarters
            cross join (select horizon_days from intermediate.int_lead_fates limit 1) as setting
            where
                quarters.date_day = quarters.quarter_start
                and quarters.date_day <= %(as_of)s
                and quarters.date_day + interval '3 months' + setting.horizon_days * interval '1 day'
                    > %(published_as_of)s::timestamptz - interval '1 day'
            """,
        ),
        columns={
            "created_quarter": "date",
            "period_start": "date",
            "period_grain": "text",
            "region": "text",
            "marketing_leads": "integer",
            "other_leads": "integer",
            "marketing_rate": "numeric",
            "other_rate": "numeric",
            "ratio": "numeric",
            "ratio_low": "numeric",
            "ratio_high": "numeric",
            "difference": "numeric",
            "difference_low": "numeric",
            "difference_high": "numeric",
            "adjusted_ratio": "numeric",
            "is_reversed": "boolean",
            "is_sufficient": "boolean",
            "reason": "text",
        },
        key=("created_quarter", "period_start", "period_grain", "region"),
        compute=alignment.close_rates,
    ),
    Computation(
        name="frictions",
        reads=("int_lead_fates",),
        inputs="""
            select fates.*, weights.*
            from intermediate.int_lead_fates as fates
            cross join (
                select
                    max(weight) filter (where component = 'unanswered_rate') as weight_of_unanswered_rate,
                    max(weight) filter (where component = 'sent_back_rate') as weight_of_sent_back_rate,
                    max(weight) filter (where component = 'moves_per_lead') as weight_of_moves_per_lead,
                    max(weight) filter (where component = 'wait_share') as weight_of_wait_share,
                    max(weight) filter (where component = 'disagreement_rate') as weight_of_disagreement_rate,
                    max(floor) filter (where component = 'unanswered_rate') as floor_of_unanswered_rate,
                    max(floor) filter (where component = 'sent_back_rate') as floor_of_sent_back_rate,
                    max(floor) filter (where component = 'moves_per_lead') as floor_of_moves_per_lead,
                    max(floor) filter (where component = 'wait_share') as floor_of_wait_share,
                    max(floor) filter (where component = 'disagreement_rate') as floor_of_disagreement_rate
                from seeds.friction_weights
            ) as weights
            where fates.mql_quarter is not null
        """,
        order=("lead_key",),
        group="mql_quarter",
        changed=("select mql_quarter from marts_changes.int_lead_fates",),
        columns={
            "mql_quarter": "date",
            "period_start": "date",
            "period_grain": "text",
            "region": "text",
            "mqls": "integer",
            "unanswered_rate": "numeric",
            "sent_back_rate": "numeric",
            "moves_per_lead": "numeric",
            "wait_share": "numeric",
            "disagreement_rate": "numeric",
            "index_spread": "numeric",
            "is_sufficient": "boolean",
            "reason": "text",
        },
        key=("mql_quarter", "period_start", "period_grain", "region"),
        compute=alignment.frictions,
    ),
)


def fingerprint(computations: Sequence[Computation] = COMPUTATIONS) -> str:
    """Changes with the code of a computation: what old groups say changes with it, so the next build is a full one."""
    files = {
        Path(__file__),
        Path(scorecard.__file__),
        *(Path(inspect.getfile(inspect.unwrap(each.compute))) for each in computations),
    }
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def run(
    connection: psycopg.Connection[Any], build: ledger.Build, computations: Sequence[Computation] = COMPUTATIONS
) -> dict[str, int]:
    """Bring every table of `statistics` up to date; returns how many rows of each changed.

    `connection` is the builder's and holds the build lock. Raises StatisticsFailed; tables done before stay done, which
    the next build finds out by comparing.
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
    """Create the table and its list of changes; true when the table had to be made anew."""
    names = _identifiers(each)
    stored = dict(
        connection.execute(
            """
            select attname, format_type(atttypid, atttypmod) from pg_attribute
            where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum
            """,
            (f"statistics.{each.name}",),
        ).fetchall()
    )
    is_new = stored != dict(each.columns)
    if is_new:
        columns = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in each.columns.items()
        )
        # With the views over it, which a full build makes again.
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
    """A query of a Computation: written by us, like the code around it."""
    return sql.SQL(query)  # type: ignore[arg-type]


def _results(
    connection: psycopg.Connection[Any],
    each: Computation,
    parameters: dict[str, Any],
    groups: list[Any] | None,
) -> Iterator[tuple[Any, ...]]:
    """What every group gives, one group's inputs at a time in memory."""
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
    """A result as the table holds it. Raises ValueError for what is no number: where there is no value it is null."""
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
    """Replace what differs, in the groups that were computed, and list its keys."""
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
