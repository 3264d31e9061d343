"""Scopes and suites are compared with dbt's manifest: tables, columns and change lists."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot.optimizer.qualify import qualify

from funnel.build import dbt_run
from funnel.gate import macros, suites

from .conftest import places

SCHEMAS = "raw|staging|intermediate|marts|marts_changes|ops|bi|bi_history|seeds|statistics"
BY_HAND = re.compile(rf"\b(?:from|join|in|into|update)\s+\(?(?:{SCHEMAS})\.\w+", re.IGNORECASE)
# Tables that dbt does not build: the ledger's, and those that the builder itself reads.
LEDGER = {"build.sql", "snapshots.sql"}


def nodes(manifest: dict[str, Any], kind: str = "model") -> dict[str, dict[str, Any]]:
    return {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == kind}


def known(manifest: dict[str, Any]) -> dict[str, dict[str, dict[str, str]]]:
    """Columns of every table that a scope or a suite may name, by schema: models, seeds, sources, change lists."""
    tables: dict[str, dict[str, dict[str, str]]] = {"changes": {}}
    for node in (*nodes(manifest).values(), *nodes(manifest, "seed").values()):
        columns = dict.fromkeys(node["columns"], "text")
        tables.setdefault(node["schema"], {})[node["name"]] = columns
        if node["config"].get("materialized") == "keyed_table":
            listed = [*node["config"]["unique_key"], *(node["config"].get("track") or []), "build_id"]
            tables["changes"][node["name"]] = dict.fromkeys(listed, "text")
        if node["schema"] == "staging" and node["name"].startswith("stg_statistics__"):
            tables["changes"][node["name"]] = columns
    return tables


def stated_scopes(manifest: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, node in nodes(manifest).items():
        found = re.findall(r"\{% call scope\(\) %\}(.*?)\{% endcall %\}", node["raw_code"], re.S)
        if node["config"].get("scope_column"):
            assert len(found) == 1, f"{name} has a scope_column, and states {len(found)} scopes"
            yield name, found[0]
        else:
            assert not found, f"{name} states a scope without a scope_column"


def stated_queries() -> Iterator[tuple[str, str]]:
    for name in suites.mart_suites():
        for batch, query in getattr(suites.suite(name), "BATCHES", {}).items():
            yield f"{name}:{batch}", query


def rendered(query: str, manifest: dict[str, Any], me: str | None = None, named: set[str] | None = None) -> str:
    """The query of an incremental build with table names as in `known`; the models that it names are
    added to `named`.
    """
    models = nodes(manifest) | nodes(manifest, "seed")
    sources = {(each["source_name"], each["name"]) for each in manifest["sources"].values()}

    def ref(name: str) -> macros.Relation:
        assert name in models, f"the manifest knows no model {name}"
        if named is not None:
            named.add(models[name]["unique_id"])
        return macros.Relation(models[name]["schema"], name)

    def source(name: str, table: str) -> macros.Relation:
        assert (name, table) in sources, f"the manifest knows no source {name}.{table}"
        return macros.relation_of_source(name, table)

    numbers = dict.fromkeys(("since_load_id", "through_load_id"), "1")
    days = dict.fromkeys(("as_of_date", "last_day"), "date '2026-01-05'")
    texts = dict.fromkeys(
        ("as_of", "published_as_of", "reporting_timezone", "master_crm", "ad_stats_streams", "loaded_days"), "'x'"
    )
    given = macros.given(
        is_full=False,
        keys={name: tuple(node["config"].get("unique_key") or ()) for name, node in models.items()},
        words=numbers | days | texts,
    )
    spoken = {
        "this": macros.relation_of_model(me) if me else None,
        "surrogate_key": lambda columns: f"concat({', '.join(columns)})",
        "month_of": lambda day: f"({day})",
        "reporting_date": lambda moment: f"({moment})",
        "fiscal_quarter_start": lambda day: f"({day})",
        "unpublished_days": lambda _: "select 1",
        "var": lambda _: "1",
        "changes_of_statistic": lambda name: f"marts_changes.stg_statistics__{name}",
    }
    text = macros.rendered(query, {**given, **spoken, "ref": ref, "source": source})
    return text.replace("marts_changes.", "changes.")


def unknown_columns(query: str, manifest: dict[str, Any]) -> str | None:
    """The columns in the query that no table has; None if all exist. Raw rows are declared by
    connectors, not by dbt.
    """
    tables = known(manifest)
    parsed = sqlglot.parse_one(query, read="postgres")
    for table in parsed.find_all(sqlglot.exp.Table):
        if table.db and table.db not in ("raw", "ops") and table.name not in tables.get(table.db, {}):
            return f"{table.db}.{table.name}"
    if any(table.db in ("raw", "ops") for table in parsed.find_all(sqlglot.exp.Table)):
        return None
    try:
        qualify(parsed, schema=tables, dialect="postgres", quote_identifiers=False)
    except sqlglot.errors.SqlglotError as error:
        return str(error)
    return None


def test_every_scope_names_tables_and_columns_that_dbt_knows(manifest: dict[str, Any]) -> None:
    wrong = {
        name: found
        for name, query in stated_scopes(manifest)
        if (found := unknown_columns(rendered(query, manifest, name), manifest))
    }
    assert wrong == {}


def test_every_suite_names_tables_and_columns_that_dbt_knows(manifest: dict[str, Any]) -> None:
    wrong = {
        name: found
        for name, query in stated_queries()
        if (found := unknown_columns(rendered(query, manifest), manifest))
    }
    assert wrong == {}


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("select person_key from {{ changes('fct_lead') }}", "fct_lead"),
        ("select lead_key from {{ ref('stg_files__payment') }}", "stg_files__payment"),
        ("select channel from {{ changes('fct_leads') }}", "channel"),
        ("select changed.lead_key from {{ touched('fct_leads') }} as changed where changed.region is null", "region"),
        ("select lead_id from {{ ref('fct_leads') }} where {{ is_touched('region', 'fct_leads') }}", "region"),
    ],
)
def test_an_unknown_name_is_found(manifest: dict[str, Any], query: str, named: str) -> None:
    try:
        found = unknown_columns(rendered(query, manifest, "fct_leads"), manifest)
    except AssertionError as unknown:
        found = str(unknown)
    assert named in str(found)


def test_every_table_of_a_scope_is_in_the_graph(manifest: dict[str, Any]) -> None:
    models = nodes(manifest)
    for name, query in stated_scopes(manifest):
        named: set[str] = set()
        rendered(query, manifest, name, named)
        assert named <= set(models[name]["depends_on"]["nodes"]), name


def files() -> Iterator[tuple[Path, str]]:
    for path in (*dbt_run.PROJECT.glob("models/**/*.sql"), *dbt_run.PROJECT.glob("tests/**/*.sql")):
        yield path, path.read_text()
    for path in dbt_run.PROJECT.glob("macros/*.sql"):
        if path.name not in LEDGER:
            yield path, re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.S)


def test_no_schema_is_named_by_hand(manifest: dict[str, Any]) -> None:
    """`ref`, `source`, `this` and the macros of touched.sql give the place of a table."""
    texts = [(path.name, re.sub(r"--.*", "", text)) for path, text in files()] + list(stated_queries())
    named = {name: found[0] for name, text in texts if (found := BY_HAND.search(text)) and name != "touched.sql"}
    assert named == {}
    assert BY_HAND.search("select 1 from marts.fct_leads as leads")
    assert BY_HAND.search("inner join\n    ops.loaded_days")


# Their keys are enforced by the database, or checked by one test for all.
GRAIN = ("grain", "grain_of_loaded_rows")


def asked_by_a_build(parsed: Any, folder: Path, *, is_full: bool) -> list[str]:
    """Names of the tests that a build runs: in the run before the statistics, and in that of the models after them."""
    from dbt.cli.main import dbtRunner

    options, excluded = dbt_run.selection(is_full=is_full, has_seeds=True)
    listing = ["--quiet", "ls", "--resource-type", "test", "--output", "name", *places(folder), *options]
    runs = ([], [dbt_run.STATISTICS]), (["--select", dbt_run.STATISTICS], [])
    return sorted(
        name
        for selected, after in runs
        for name in dbtRunner(manifest=parsed).invoke([*listing, *selected, "--exclude", *excluded, *after]).result
    )


@pytest.mark.parametrize("is_full", [False, True])
def test_a_build_runs_the_tests_of_its_kind(
    parsed: Any, manifest: dict[str, Any], tmp_path: Path, is_full: bool
) -> None:
    """A daily build leaves out the tests of views and seeds, but none that compares a view with tables."""
    tests = nodes(manifest, "test")
    wanted = {
        name
        for name, node in tests.items()
        if (node.get("test_metadata") or {}).get("name") not in GRAIN
        and (is_full or "full_build" not in node["tags"])
        and (is_full or not node["original_file_path"].startswith(("models/staging/", "seeds/")))
    }
    found = asked_by_a_build(parsed, tmp_path, is_full=is_full)
    assert found == sorted(wanted)
    views = {node["unique_id"] for node in nodes(manifest).values() if node["config"]["materialized"] == "view"}
    over_views = {name for name in found if views & set(tests[name]["depends_on"]["nodes"])}
    assert {"assert_spend_reconciles", "assert_orders_reconcile", "assert_people_and_leads_reconcile"} <= over_views
