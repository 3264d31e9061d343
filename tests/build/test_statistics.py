"""The step between two runs of dbt: what it computes, what it leaves unchanged, and its messages."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from funnel import ledger, settings
from funnel.build import dbt_run, errors
from funnel.build.computations import catalogue, engine

from .conftest import rows

BUILD = ledger.Build(2, datetime(2026, 3, 1, tzinfo=UTC), False, 0, 0)
FULL = replace(BUILD, build_id=1, is_full=True)
computed: list[str] = []


def shares(group: Sequence[catalogue.Row]) -> Iterator[dict[str, Any]]:
    """Each row's share of its group; records which groups were requested."""
    computed.append(group[0]["month"])
    total = sum(row["number"] for row in group)
    for row in group:
        yield {"name": row["name"], "share": float(row["number"]) / float(total)}


SHARES = catalogue.Computation(
    name="shares",
    reads=("numbers",),
    inputs="select * from intermediate.numbers",
    order=("name",),
    group="month",
    changed=("select month from marts_changes.numbers",),
    columns={"month": "text", "name": "text", "share": "numeric"},
    key=("month", "name"),
    compute=shares,
)


@pytest.fixture
def builder(warehouse: str) -> Iterator[psycopg.Connection[Any]]:
    """The builder's connection, with two months of numbers."""
    computed.clear()
    with psycopg.connect(settings.dsn("builder"), autocommit=True) as connection:
        connection.execute("create table intermediate.numbers (month text, name text, number integer)")
        connection.execute("create table marts_changes.numbers (month text)")
        connection.execute(
            "insert into intermediate.numbers values ('jan', 'a', 1), ('jan', 'b', 2), ('feb', 'a', 1), ('feb', 'b', 1)"
        )
        yield connection


def test_only_groups_whose_inputs_changed_are_computed(builder: psycopg.Connection[Any]) -> None:
    """An incremental step gives the same rows as a full one, and lists exactly the keys that differ."""
    assert engine.run(builder, FULL, [SHARES]) == {"shares": 4}
    third = Decimal("0.333333333333")
    assert rows("select * from statistics.shares order by month, name") == [
        ("feb", "a", Decimal("0.5")), ("feb", "b", Decimal("0.5")),
        ("jan", "a", third), ("jan", "b", Decimal("0.666666666667")),
    ]  # fmt: skip
    computed.clear()
    assert engine.run(builder, BUILD, [SHARES]) == {"shares": 0}
    assert computed == []

    builder.execute("truncate marts_changes.shares")
    builder.execute("update intermediate.numbers set number = 3 where month = 'feb' and name = 'b'")
    builder.execute("insert into intermediate.numbers values ('mar', 'a', 7)")
    builder.execute("insert into marts_changes.numbers values ('feb'), ('feb'), ('mar'), (null)")
    assert engine.run(builder, BUILD, [SHARES]) == {"shares": 3}
    assert computed == ["feb", "mar"]
    assert rows("select month, name, build_id from marts_changes.shares order by 1, 2") == [
        ("feb", "a", 2), ("feb", "b", 2), ("mar", "a", 2),
    ]  # fmt: skip

    builder.execute("delete from intermediate.numbers where month = 'mar' or (month = 'feb' and name = 'a')")
    engine.run(builder, BUILD, [SHARES])
    kept = rows("select * from statistics.shares order by month, name")
    assert kept == [("feb", "b", 1), ("jan", "a", third), ("jan", "b", Decimal("0.666666666667"))]
    assert engine.run(builder, FULL, [SHARES]) == {"shares": 0}
    assert rows("select * from statistics.shares order by month, name") == kept


def test_a_table_with_other_columns_is_created_again(builder: psycopg.Connection[Any]) -> None:
    engine.run(builder, FULL, [SHARES])
    other = replace(SHARES, columns={**SHARES.columns, "reason": "text"}, compute=lambda group: [
        {"name": row["name"], "share": None, "reason": "thin"} for row in group
    ])  # fmt: skip
    assert engine.run(builder, BUILD, [other]) == {"shares": 4}
    assert rows("select distinct share, reason from statistics.shares") == [(None, "thin")]


def test_what_cannot_be_computed_names_the_statistic_and_the_group(builder: psycopg.Connection[Any]) -> None:
    builder.execute("update intermediate.numbers set number = 0 where month = 'jan'")
    with pytest.raises(errors.StatisticsFailed) as failure:
        engine.run(builder, FULL, [SHARES])
    told = str(failure.value)
    assert told.startswith("Statistic shares could not be computed for month jan: ZeroDivisionError")
    assert "What to do: look at its rows of this group in numbers" in told
    # None of it is left.
    assert rows("select to_regclass('statistics.shares')") == [(None,)]

    with pytest.raises(errors.StatisticsFailed, match="Statistic shares could not be read or written"):
        engine.run(builder, FULL, [replace(SHARES, inputs="select * from intermediate.nothing")])


def test_infinity_is_refused(builder: psycopg.Connection[Any]) -> None:
    endless = replace(SHARES, compute=lambda group: [{"name": "a", "share": float("inf")}])
    with pytest.raises(errors.StatisticsFailed, match=r"shares .* month feb: ValueError: share came out as inf"):
        engine.run(builder, FULL, [endless])


def test_statistics_are_read_in_staging_and_read_nothing_that_waits_for_them(manifest: dict[str, Any]) -> None:
    """Results of the second run of dbt do not exist yet when a statistic is computed."""
    tables = {
        node["name"]: unique_id
        for unique_id, node in manifest["sources"].items()
        if node["source_name"] == "statistics"
    }
    assert set(tables) == {each.name for each in catalogue.COMPUTATIONS}
    parents = {name: set(node["depends_on"].get("nodes", ())) for name, node in manifest["nodes"].items()}
    later = set(tables.values())
    while more := {name for name, above in parents.items() if above & later} - later:
        later |= more
    later = {name.split(".")[2] for name in later}
    built = {node["name"] for node in manifest["nodes"].values() if node["resource_type"] == "model"}
    for each in catalogue.COMPUTATIONS:
        assert set(each.reads) <= built - later, each.name
        assert each.name not in built
        assert all(name in f"{each.inputs} {each.changed}" for name in each.reads), each.name
        assert set(each.key) <= set(each.columns), each.name
        assert not {"real", "double precision", "float"} & set(each.columns.values()), each.name


def test_a_project_that_reads_no_statistic_has_neither_the_step_nor_a_second_run() -> None:
    table = SimpleNamespace(name="removal_effects", source_name="statistics", unique_id="source.funnel.statistics.x")
    nodes = {"model.funnel.a": SimpleNamespace(depends_on_nodes=["source.funnel.ops.loads"])}
    manifest = SimpleNamespace(sources={table.unique_id: table}, nodes=nodes)
    assert dbt_run._statistics_of(manifest) == []
    nodes["model.funnel.b"] = SimpleNamespace(depends_on_nodes=[table.unique_id])
    assert [each.name for each in dbt_run._statistics_of(manifest)] == ["removal_effects"]
