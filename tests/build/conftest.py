"""The dbt project on a throw-away warehouse. Raw rows are inserted directly, without vendors and loads."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from funnel import settings
from funnel.build import dbt_run
from funnel.ingest import load
from funnel.sources import SOURCES
from tests.conftest import keep, parses
from tests.quick_dbt import quicken

Write = Callable[..., None]


@pytest.fixture(scope="session")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The project as dbt parsed it: as for the first database of a process, whose parse may be kept already."""
    from dbt.cli.main import dbtRunner

    quicken()
    folder = tmp_path_factory.mktemp("dbt")
    made, kept = folder / "partial_parse.msgpack", parses() / "test_1.msgpack"
    if kept.exists():
        shutil.copy(kept, made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBT_DATABASE", "test_1")
        outcome = dbtRunner().invoke(["parse", *places(folder)])
    assert outcome.success, outcome.exception
    if not kept.exists():
        keep(made, kept)
    return outcome.result


def places(folder: Path) -> list[str]:
    """Options of dbt: the project, and a folder for what it writes."""
    return [
        *("--project-dir", str(dbt_run.PROJECT), "--profiles-dir", str(dbt_run.PROJECT)),
        *("--target-path", str(folder), "--log-path", str(folder), "--log-level", "none"),
    ]


@pytest.fixture(scope="session")
def manifest(parsed: Any) -> dict[str, Any]:
    """The parsed project, as dbt writes it."""
    found: dict[str, Any] = parsed.to_dict()
    return found


@pytest.fixture
def write(warehouse: str) -> Write:
    """write("hubspot__contacts", {…}, {…}, load_id=2): raw rows as a load would have left them."""
    return writer(warehouse)


def writer(warehouse: str) -> Write:
    """The function `write` for the warehouse at this URL."""
    load.create_tables()

    def insert(table: str, *rows: dict[str, Any], load_id: int = 1) -> None:
        source, _, stream = table.partition("__")
        money = SOURCES[source].stream(stream).money
        with psycopg.connect(warehouse) as admin:
            admin.execute("set time zone 'UTC'")
            for row in rows:
                stored = {
                    "_connection_id": source,
                    "_load_id": load_id,
                    "_fetched_at": "2026-01-06T03:00:00Z",
                    # A delivery with an amount and no currency does not pass the gate.
                    **({money.currency: "USD"} if money else {}),
                } | row
                names = ", ".join(stored)
                values = ", ".join(f"%({name})s" for name in stored)
                admin.execute(
                    f"insert into raw.{table} ({names}) values ({values})".encode(),
                    {name: Jsonb(v) if isinstance(v, list) else v for name, v in stored.items()},
                )
            admin.execute(
                """
                insert into ops.loads (
                    source, connection_id, stream, window_from, window_to, rows_read, rows_loaded, rows_quarantined,
                    rows_retracted, rows_superseded, rows_duplicated, bytes, fetched_at, started_at, finished_at,
                    run_id, landing, code_version
                )
                values (%(source)s, %(source)s, %(stream)s, '2026-01-01', '2026-01-06', 0, 0, 0, 0, 0, 0, 0,
                    now(), now(), now(), 'test', gen_random_uuid()::text, 'test')
                """,
                {"source": source, "stream": stream},
            )
            admin.execute(
                """
                insert into ops.sources (source, connection_id, restatement_days, first_day, last_day_complete)
                values (%(source)s, %(source)s, 3, '2026-01-01', '2026-01-05')
                on conflict do nothing
                """,
                {"source": source},
            )

    return insert


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project whose files a test may change."""
    copied = tmp_path / "dbt_project"
    shutil.copytree(dbt_run.PROJECT, copied, ignore=shutil.ignore_patterns("target", "logs"))
    return copied


@contextmanager
def template(name: str) -> Iterator[Callable[[], None]]:
    """Keep the current database as a template; yields a function that restores it."""
    used = settings.read().warehouse_database
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WAREHOUSE_DATABASE", "postgres")
        maintenance = settings.dsn("admin")

    def copy(source: str, copied: str) -> None:
        with psycopg.connect(maintenance, autocommit=True) as admin:
            # dbt and Great Expectations keep their sessions open.
            admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = any(%s)", ([source, copied],)
            )
            admin.execute(f"drop database if exists {copied}".encode())
            admin.execute(f"create database {copied} template {source}".encode())
            admin.execute(f"revoke all on database {copied} from public".encode())
            roles = "pipeline, bi_reader, loader, builder, publisher"
            admin.execute(f"grant connect, temporary on database {copied} to {roles}".encode())

    copy(used, name)
    yield lambda: copy(name, used)
    with psycopg.connect(maintenance, autocommit=True) as admin:
        admin.execute(f"drop database {name}".encode())


def rows(query: str) -> list[tuple[Any, ...]]:
    """Query as administrator."""
    with psycopg.connect(settings.dsn("admin")) as admin:
        return admin.execute(query.encode()).fetchall()
