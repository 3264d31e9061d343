"""Tables that contain exactly the passing rows of a suite, or its poison."""

import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg import sql
from psycopg.types.json import Jsonb

from funnel import settings
from funnel.gate import suites
from funnel.gate.runner import data_source
from funnel.ingest import load
from funnel.sources import SOURCES
from funnel.warehouse import connect
from tests.conftest import TEMPLATE, _isolate

Row = Mapping[str, Any]
Deliver = Callable[..., list[int]]
# A session in the database of passing rows, and Great Expectations' data source of it.
Laid = tuple[psycopg.Connection[Any], Any]

FETCHED_AT = "2026-01-06 03:00+00"


def lay(table: str, rows: Iterable[Row]) -> None:
    """Insert rows into `schema.name`; missing columns stay null or take their default."""
    lay_all({table: rows})


def lay_all(tables: Mapping[str, Iterable[Row]]) -> None:
    """Insert rows into many tables."""
    with psycopg.connect(settings.dsn("admin")) as connection:
        insert(connection, tables)


def insert(connection: psycopg.Connection[Any], tables: Mapping[str, Iterable[Row]]) -> None:
    """Insert rows into many tables, in a transaction of the caller."""
    for table, rows in tables.items():
        for row in rows:
            values = [Jsonb(value) if _is_json(value) else value for value in row.values()]
            connection.execute(
                sql.SQL("insert into {} ({}) values ({})").format(
                    sql.Identifier(*table.split(".")),
                    sql.SQL(", ").join(map(sql.Identifier, row)),
                    sql.SQL(", ").join(sql.Placeholder() for _ in row),
                ),
                values,
            )


def _is_json(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(each, dict) for each in value))


@pytest.fixture(scope="session")
def shelf(cluster_home: Path) -> Iterator[str]:
    """One database with the tables of raw and marts for all tests of this folder: creating one for each would cost more
    than the tests. Yields its name.
    """
    with pytest.MonkeyPatch.context() as patch:
        _use(patch, cluster_home, "postgres")
        maintenance = settings.dsn("admin")
        with psycopg.connect(maintenance, autocommit=True) as connection:
            connection.execute(f"create database shelf template {TEMPLATE}")
            connection.execute("grant connect, temporary on database shelf to loader, builder, publisher, pipeline")
        patch.setenv("WAREHOUSE_DATABASE", "shelf")
        load.create_tables()
        create_marts()
    yield "shelf"
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute("drop database shelf with (force)")


def _use(patch: pytest.MonkeyPatch, cluster_home: Path, database: str) -> None:
    """Point the environment at a database of the cluster."""
    _isolate(patch, cluster_home)
    patch.setenv("POSTGRES_PORT", str(json.loads((cluster_home / "test_server.json").read_text())["port"]))
    patch.setenv("WAREHOUSE_DATABASE", database)


@pytest.fixture
def warehouse(shelf: str, cluster_home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The shelf, cleared; yields its administrator's URL."""
    _use(monkeypatch, cluster_home, shelf)
    return cleared()


def cleared() -> str:
    """Empty the tables of the shelf; returns its administrator's URL."""
    with psycopg.connect(settings.dsn("admin")) as connection:
        filled = connection.execute(
            """
            select format('%I.%I', schemaname, tablename)
            from pg_tables
            where
                schemaname in ('raw', 'ops', 'intermediate', 'marts', 'marts_changes')
                and pg_relation_size(format('%I.%I', schemaname, tablename)) > 0
            """
        ).fetchall()
        if filled:
            connection.execute(f"truncate {', '.join(name for (name,) in filled)} restart identity cascade")
    return settings.dsn("admin")


@pytest.fixture
def deliver(warehouse: str) -> Deliver:
    """deliver(source, {stream: rows}, run_id=…, loads=[…]): the rows that the loader would have stored, without landed
    files.
    """
    numbers = itertools.count(1)

    def make(
        source_name: str,
        rows_by_stream: Mapping[str, Iterable[Row]],
        *,
        run_id: str = "run",
        window: tuple[str, str] = ("2026-01-05", "2026-01-06"),
        loads: Iterable[Row] | None = None,
    ) -> list[int]:
        source = SOURCES[source_name]
        ids: list[int] = []
        rows_by_stream = {name: list(rows) for name, rows in rows_by_stream.items()}
        if loads is None:
            loads = [{"stream": stream.name} for stream in source.streams]
        for asked in loads:
            name = asked["stream"]
            rows = rows_by_stream.pop(name, [])
            ids.append(next(numbers))
            lay(
                "ops.loads",
                [
                    {
                        "source": source_name,
                        "connection_id": source_name,
                        "window_from": window[0],
                        "window_to": window[1],
                        "rows_read": len(rows),
                        "rows_loaded": len(rows),
                        "rows_quarantined": 0,
                        "rows_retracted": 0,
                        "rows_superseded": 0,
                        "rows_duplicated": 0,
                        "bytes": 0,
                        "fetched_at": FETCHED_AT,
                        "started_at": FETCHED_AT,
                        "finished_at": FETCHED_AT,
                        "run_id": run_id,
                        "landing": f"landed/{ids[-1]}",
                        "code_version": "test",
                        **asked,
                    }
                ],
            )
            system = {"_connection_id": source_name, "_load_id": ids[-1], "_fetched_at": FETCHED_AT}
            lay(f"raw.{source_name}__{name}", [{**system, **row} for row in rows])
        return ids

    return make


MODELS = settings.REPOSITORY / "dbt_project" / "models" / "marts"
# Other tables that suites of marts read: only the columns that they use.
INTERMEDIATE = {
    "int_touches": "touch_id text, person_key text",
    "int_targets": "period_start date, period_grain text, team text, metric text, region text",
}
BESIDE = {
    "intermediate.int_touches": [{"touch_id": "t1", "person_key": "p1"}],
    "intermediate.int_targets": [
        {"period_start": "2026-01-01", "period_grain": "month", "team": "sales", "metric": "won", "region": "EMEA"}
    ],
    "raw.google_ads__campaign_stats": [
        {
            "_connection_id": "google_ads",
            "_load_id": 1,
            "date": "2026-01-05",
            "customer_id": "1",
            "campaign_id": "11",
            "currency_code": "EUR",
            "cost_micros": 90_000_000,
        }
    ],
    "raw.ga4__sessions": [
        {
            "_connection_id": "ga4",
            "_load_id": 1,
            "date": "2026-01-05",
            "property_id": "310000001",
            "channel_group": "Paid Search",
            "session_source": "google",
            "session_medium": "cpc",
            "campaign_id": "11",
            "campaign_name": "Brand",
            "country_id": "DE",
            "sessions": 42,
            "key_events": 2,
        }
    ],
    "raw.shopify__orders": [
        {
            "_connection_id": "shopify",
            "_load_id": 1,
            "order_id": "5001",
            "lines": [
                {
                    "id": "gid://shopify/LineItem/1",
                    "originalTotalSet": {"shopMoney": {"amount": "70.0"}},
                    "discountAllocations": [{"allocatedAmountSet": {"shopMoney": {"amount": "4.0"}}}],
                }
            ],
            "refunds": [
                {
                    "totalRefundedSet": {"shopMoney": {"amount": "6.0"}},
                    "refundLineItems": {"nodes": [{"subtotalSet": {"shopMoney": {"amount": "5.0"}}}]},
                },
                {"totalRefundedSet": {"shopMoney": {"amount": "1.0"}}, "refundLineItems": {"nodes": []}},
            ],
        }
    ],
    "raw.files__payments": [
        {
            "_connection_id": "acme",
            "_load_id": 1,
            "_file_order": "1",
            "row_key": "1|1",
            "order_id": "1",
            "payment_no": "1",
            "amount": 30,
        }
    ],
    "raw.salesforce__opportunities": [
        {
            "_connection_id": "salesforce",
            "_load_id": 1,
            "opportunity_id": "0061",
            "amount": 1000,
            "is_won": True,
        }
    ],
    "ops.loaded_days": [
        {
            "source": "google_ads",
            "connection_id": "google_ads",
            "stream": "campaign_stats",
            "date_day": "2026-01-05",
            "fetched_at": FETCHED_AT,
            "load_id": 1,
        }
    ],
    "ops.sources": [
        {
            "source": "google_ads",
            "connection_id": "google_ads",
            "restatement_days": 30,
            "first_day": "2026-01-05",
            "last_day_complete": "2026-01-05",
        }
    ],
}


def create_marts() -> None:
    """Tables of all marts as their contracts declare them, with their change lists."""
    with connect("builder") as connection:
        for name, columns in INTERMEDIATE.items():
            for schema in ("intermediate", "marts_changes"):
                connection.execute(f"create table {schema}.{name} ({columns})")
        for path in sorted(MODELS.glob("*.sql")):
            text = path.read_text()
            # A view has no key, and no suite of its own.
            if "materialized='view'" in text:
                continue
            (model,) = yaml.safe_load(path.with_suffix(".yml").read_text())["models"]
            name = model["name"]
            types = {column["name"]: column["data_type"] for column in model["columns"]}
            key = re.findall(r"'(\w+)'", re.search(r"unique_key=\[(.*?)\]", text, re.DOTALL)[1])
            track = re.search(r"track=\[(.*?)\]", text, re.DOTALL)
            listed = dict.fromkeys([*key, *(re.findall(r"'(\w+)'", track[1]) if track else [])])
            columns = ", ".join(f"{column} {kind}" for column, kind in types.items())
            connection.execute(f"create table marts.{name} ({columns}, primary key ({', '.join(key)}))")
            changes = ", ".join(f"{column} {types[column]}" for column in listed)
            connection.execute(f"create table marts_changes.{name} ({changes}, build_id bigint)")


def add_build(*, is_full: bool = True, since: int = 0, through: int = 1) -> int:
    """A successful build, as of the end of 2026-01-05."""
    with connect("builder") as connection:
        return connection.execute(
            """
            insert into ops.builds (
                as_of, is_full, since_load_id, through_load_id, reporting_currency, reporting_timezone, master_crm,
                sources_configured, sources_late, status, project_fingerprint, code_version
            )
            values ('2026-01-06 00:00+00', %s, %s, %s, 'USD', 'UTC', 'salesforce', '{}', '{}', 'built', 'test', 'test')
            returning build_id
            """,
            (is_full, since, through),
        ).fetchone()[0]


def clean_rows() -> dict[str, list[Row]]:
    """Passing rows of every mart, consistent with each other, and of the tables around them."""
    return BESIDE | {name.replace("/", "."): suites.suite(name).PASSING for name in suites.mart_suites()}


def lay_built(tables: Mapping[str, Iterable[Row]]) -> None:
    """Insert rows into marts and the tables around them, with a build that is checked whole."""
    lay_all(tables)
    add_build()


@pytest.fixture(scope="module")
def laid(shelf: str, cluster_home: Path) -> Iterator[Laid]:
    """A copy of the shelf with the passing rows of every mart and a build: laid once, changed by no test."""
    with pytest.MonkeyPatch.context() as patch:
        _use(patch, cluster_home, "postgres")
        with psycopg.connect(settings.dsn("admin"), autocommit=True) as maintenance:
            # Great Expectations keeps sessions for the next time.
            maintenance.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (shelf,))
            maintenance.execute(f"create database laid template {shelf}".encode())
            maintenance.execute("grant connect, temporary on database laid to loader, builder, publisher, pipeline")
            patch.setenv("WAREHOUSE_DATABASE", "laid")
            cleared()
            lay_built(clean_rows())
            with psycopg.connect(settings.dsn("admin")) as connection, data_source("builder") as data:
                connection.execute("set time zone 'UTC'")
                connection.commit()
                yield connection, data
            maintenance.execute("drop database laid with (force)")
