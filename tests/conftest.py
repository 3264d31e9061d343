"""Shared set-up: one throw-away PostgreSQL cluster per test process, a fresh migrated database per test.

`FUNNEL_TEST_POSTGRES` may name a folder with other server binaries (CI runs the warehouse tests on PostgreSQL 15 too).
"""

import gc
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "plugins")]

# Fixtures of several folders.
from tests import reuse  # noqa: E402
from tests.vendors import company, sandbox_server, slept, vendor  # noqa: E402, F401

TEMPLATE = "warehouse_template"
# Databases in use by this process: a test may need one in addition to its module's.
in_use: list[str] = []
# Databases that wait for the next test, and what they contain; by home of the cluster and name.
waiting: dict[tuple[Path, str], reuse.State] = {}


def pytest_configure(config: pytest.Config) -> None:
    """One folder of parses for the process that distributes the tests and for those that run them."""
    # Airflow, dbt and Great Expectations leave a million objects that stay; Python would look at all of them
    # again for every 700 new ones, which is a quarter of a build of a few rows.
    gc.set_threshold(50_000, 20, 50)
    if "FUNNEL_TEST_PARSES" not in os.environ:
        folder = tempfile.mkdtemp(prefix="funnel-test-parses-")
        os.environ["FUNNEL_TEST_PARSES"] = folder
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.fixture(scope="session", autouse=True)
def unsynced() -> Iterator[None]:
    """Landed bodies of tests need not outlive the machine. The path of a home is looked up once, not for each body."""
    from funnel import secret_store

    looked_up, homes = secret_store.home, {}

    def home() -> Path:
        given = (os.environ.get("FUNNEL_HOME"), os.environ.get("HOME"), os.getcwd())
        if given not in homes:
            homes[given] = looked_up()
        return homes[given]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        patch.setattr(secret_store, "home", home)
        yield


@pytest.fixture(scope="session")
def cluster_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """FUNNEL_HOME of a running throw-away cluster with a migrated template database."""
    from funnel import ledger, secret_store
    from installation import postgres
    from tests.quick_dbt import quicken
    from tests.quick_expectations import quicken_when_used

    quicken()
    quicken_when_used()
    home = tmp_path_factory.mktemp("home")
    binaries = os.environ.get("FUNNEL_TEST_POSTGRES")
    # dbt logs in for every node, and 4,096 rounds of hashing are half of a login. PostgreSQL 15 has no such setting.
    logins = {} if binaries else {"scram_iterations": "1"}
    with pytest.MonkeyPatch.context() as patch:
        _isolate(patch, home)
        started = postgres.start(
            home,
            password=secret_store.secret("admin_password"),
            settings={"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "wal_level": "minimal"}
            | {"max_wal_senders": "0", "shared_buffers": "128MB"}
            | logins,
            bindir=Path(binaries) if binaries else None,
        )
        try:
            with psycopg.connect(started.dsn(), autocommit=True) as connection:
                connection.execute(f"create database {TEMPLATE}")
            patch.setenv("POSTGRES_PORT", str(started.port))
            patch.setenv("WAREHOUSE_DATABASE", TEMPLATE)
            ledger.migrate()
            (home / "test_server.json").write_text(json.dumps({"port": started.port}))
            yield home
        finally:
            postgres.remove(home)


def _isolate(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Tests do not see settings, connections or services of the user who runs them."""
    for name in list(os.environ):
        if name.startswith(("AIRFLOW_", "FUNNEL_", "REPORTING_", "WAREHOUSE_", "ALERT_")) and name not in (
            "FUNNEL_TEST_POSTGRES",
            "FUNNEL_TEST_PARSES",
        ):
            patch.delenv(name)
    patch.setenv("FUNNEL_HOME", str(home))


@pytest.fixture
def warehouse(cluster_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A fresh migrated warehouse that the environment points at; yields its administrator's URL."""
    with fresh_warehouse(cluster_home, monkeypatch, tmp_path) as dsn:
        yield dsn


@contextmanager
def fresh_warehouse(cluster_home: Path, patch: pytest.MonkeyPatch, folder: Path) -> Iterator[str]:
    """Clone the template into a database of its own, or take one that a test left as new, and point the environment at
    it, with a home below `folder`.

    Names of databases return, since dbt's parse of the project, which takes seconds, holds for one name only: it is
    kept for all processes of a test run.
    """
    from funnel import settings

    _isolate(patch, cluster_home)
    patch.setenv("POSTGRES_PORT", str(json.loads((cluster_home / "test_server.json").read_text())["port"]))
    name = f"test_{len(in_use) + 1}"
    patch.setenv("WAREHOUSE_DATABASE", "postgres")
    maintenance = settings.dsn("admin")
    first = waiting.pop((cluster_home, name), None)
    if first is None:
        _create(maintenance, name)
    # Each test has its own landed files and build artefacts; the secrets are the cluster's.
    home = folder / "home"
    home.mkdir()
    (home / "secrets.json").write_text((cluster_home / "secrets.json").read_text())
    patch.setenv("FUNNEL_HOME", str(home))
    patch.setenv("WAREHOUSE_DATABASE", name)
    parsed, kept = home / "dbt/target/partial_parse.msgpack", parses() / f"{name}.msgpack"
    if kept.exists():
        parsed.parent.mkdir(parents=True)
        shutil.copy(kept, parsed)
    in_use.append(name)
    dsn = settings.dsn("admin")
    first = first or reuse.look_at(dsn)
    yield dsn
    in_use.remove(name)
    # Not for a copy of the project: a parse contains the folder of the seeds.
    if not kept.exists() and parsed.exists() and str(REPOSITORY / "dbt_project").encode() in parsed.read_bytes():
        keep(parsed, kept)
    if reuse.clear(dsn, first):
        waiting[cluster_home, name] = first
    else:
        with psycopg.connect(maintenance, autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)".encode())


def _create(maintenance: str, name: str) -> None:
    """Clone the template."""
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(f"create database {name} template {TEMPLATE} strategy file_copy".encode())
        connection.execute(f"revoke all on database {name} from public".encode())
        connection.execute(
            f"grant connect on database {name} to pipeline, bi_reader, loader, builder, publisher".encode()
        )
        connection.execute(f"grant temporary on database {name} to loader, builder, publisher".encode())


def parses() -> Path:
    """The folder in which the processes of a test run, and the test runs that they start, share dbt's parses of the
    project.
    """
    return Path(os.environ["FUNNEL_TEST_PARSES"])


def keep(made: Path, kept: Path) -> None:
    """Copy a file so that other processes never see a part of it."""
    copied = kept.with_suffix(f".{os.getpid()}")
    shutil.copy(made, copied)
    copied.replace(kept)


# The folders that take minutes as a whole, and the files: the longest start first.
SHARED = ("end_to_end/company",)
LONG = (
    "end_to_end/test_worked_example.py",
    "installation/test_installation.py",
    "build/test_build.py",
    "build/test_rebuilds.py",
    "build/test_reference_data.py",
    "dashboards/test_browser.py",
    "end_to_end/company",
    "build/test_file_money.py",
    "end_to_end/test_gate.py",
    "build/test_merges.py",
    "build/test_removed_records.py",
    "gate/test_marts.py",
    "installation/test_oldest_server.py",
    "servers/test_celery.py",
    "gate/test_raw.py",
    "build/test_case_marts.py",
    "ingest/test_reconcile.py",
    "orchestration/test_connections.py",
    "orchestration/test_accounts.py",
    "inbox/test_crm_export.py",
)


def pytest_collection_finish() -> None:
    """What is imported by now is never garbage."""
    gc.freeze()


def unit(nodeid: str) -> str:
    """The unit that one process runs as a whole: a test file, or a folder whose files share a warehouse."""
    path = nodeid.split("::")[0].removeprefix("tests/")
    folder = path.rpartition("/")[0]
    return folder if folder in SHARED else path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long units first, the others in their order."""
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(unit(item.nodeid), len(LONG)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile`: each unit goes to one process."""
    from xdist.scheduler import LoadFileScheduling

    class UnitScheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return unit(nodeid)

    return UnitScheduling(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture
def outcome(record_property: Callable[[str, object], None]) -> Callable[[str, str, str], None]:
    """Report the result of a vendor case: `outcome("01 half an emoji", "meta_ads", "replaced and noted")`."""

    def report(case: str, source: str, outcome: str) -> None:
        record_property("vendor_case", [case, source, outcome])

    return report


# What tests recorded under a property becomes a table at the end of the test run.
TABLES = {
    "outcome": "misbehaviour: vendor, fault, what happened, rows lost",
    "vendor_case": "vendor cases: case x source -> outcome",
    "bypass": "bypasses: attempt, role, what it got",
}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the tables of results: the lists that tests recorded under the properties of TABLES."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ())]
    for recorded, title in TABLES.items():
        rows = [
            [f"{value}" for value in row] + ["FAILED"] * report.failed
            for report in reports
            for name, row in report.user_properties
            if name == recorded
        ]
        if rows:
            terminalreporter.section(title)
            _write_table(terminalreporter, sorted(rows))


def _write_table(terminalreporter: pytest.TerminalReporter, rows: list[list[str]]) -> None:
    widths = [max(len(row[place]) for row in rows if place < len(row)) for place in range(max(map(len, rows)))]
    for row in rows:
        terminalreporter.line("  ".join(value.ljust(width) for value, width in zip(row, widths, strict=False)).rstrip())
