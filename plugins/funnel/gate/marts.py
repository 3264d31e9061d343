"""The audit of a build of the marts."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from funnel import warehouse
from funnel.gate.deliveries import open_failures
from funnel.gate.errors import SuiteError
from funnel.gate.records import record
from funnel.gate.report import CheckReport
from funnel.gate.runner import data_source, evaluate
from funnel.gate.scope import Scope, of_build
from funnel.gate.suites import Batch, columns_of, mart_suites, suite

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


def check_marts(build_id: int) -> CheckReport:
    """Check a build of the marts, and write the results to ops.checks.

    Checked are the rows that changed since the publication in effect, by the change lists that publishing also uses,
    and sums over the days, months and people that they touch: the cost follows the change. A full build is checked
    whole.
    """
    with warehouse.connect("builder") as connection:
        scope = of_build(connection, build_id)
        chosen = [*_inputs(connection), *batches(connection, scope)]
    with data_source("builder") as data:
        results = tuple(check for batch in chosen for check in evaluate(data, batch))
    report = CheckReport(
        subject=f"Marts of build {build_id}",
        advice="What to do: readers keep the last publication. Repair the cause and run build_funnel: what was not "
        "published is part of the next build by itself. If the data are right and the limit is wrong, change it in "
        "expectations/ and clear the task.",
        results=results,
    )
    with warehouse.connect("builder") as connection:
        record(connection, report, build_id=build_id)
    return report


def _inputs(connection: psycopg.Connection[Any]) -> Iterator[Batch]:
    judged = suite("inputs")
    doubtful = ", ".join(str(load["load_id"]) for load in open_failures(connection))
    yield Batch(
        suite="inputs",
        table="ops.loads",
        key=tuple(judged.KEYS["deliveries"]),
        query=f"select load_id, run_id from ops.loads where load_id = any(array[{doubtful}]::bigint[])",  # noqa: S608
        columns=frozenset({"load_id", "run_id"}),
        critical=judged.CRITICAL["deliveries"],
    )


def batches(connection: psycopg.Connection[Any], scope: Scope) -> Iterator[Batch]:
    """The batches of all suites of marts. Raises SuiteError for a table without a suite."""
    names = {name.removeprefix("marts/") for name in mart_suites()}
    if unjudged := sorted(set(scope.keys) - names):
        raise SuiteError(f"There is no suite for marts.{unjudged[0]}. Write expectations/marts/{unjudged[0]}.py.")
    for mart in sorted(names):
        judged = suite(f"marts/{mart}")
        queries: dict[str, str] = getattr(judged, "BATCHES", {})
        for batch in dict.fromkeys((*judged.CRITICAL, *judged.WARNING)):
            if batch == "rows" and not scope.is_whole and mart in scope.keys and not _has_changed(connection, mart):
                continue
            critical, warning = judged.CRITICAL.get(batch, []), judged.WARNING.get(batch, [])
            key = scope.keys.get(mart, ()) if batch == "rows" else tuple(getattr(judged, "KEYS", {}).get(batch, ()))
            query = scope.fill(queries.get(batch, f"select mart.* from {{{{ changed('{mart}') }}}} as mart"))  # noqa: S608
            if batch == "rows":
                query = _narrowed(query, key, [*critical, *warning], scope.texts.get(mart, ()))
            yield Batch(
                suite=f"marts/{mart}",
                table=f"marts.{mart}",
                key=key,
                query=query,
                columns=scope.columns.get(mart, frozenset()) if batch == "rows" else frozenset(),
                critical=critical,
                warning=warning,
                parameters=scope.parameters,
            )


def _has_changed(connection: psycopg.Connection[Any], mart: str) -> bool:
    listed = sql.SQL("select exists (select from {}) as listed").format(sql.Identifier("marts_changes", mart))
    return bool(warehouse.dicts(connection, listed)[0]["listed"])


def _narrowed(query: str, key: tuple[str, ...], stated: list["Expectation"], texts: tuple[str, ...]) -> str:
    """The query limited to the columns that expectations use; `all_text` is the concatenation of all text columns."""
    wanted = dict.fromkeys((*key, *(name for each in stated for name in columns_of(each))))
    columns = [
        f"concat_ws(' ', {', '.join(texts) or 'null'}) as all_text" if name == "all_text" else name for name in wanted
    ]
    return f"select {', '.join(columns)} from ({query}) as mart"  # noqa: S608
