"""A backup of a warehouse with data, restored into an empty home: equal rows, files and keys."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
import pytest

from funnel import ledger, secret_store, settings
from funnel.contract import Window
from funnel.ingest import landing, load
from funnel.sources import SOURCES
from installation import backup, databases, errors, ports, postgres, services
from sandbox import process as sandbox

PASSPHRASE = "correct horse battery staple"
FIRST, LAST = date(2026, 1, 10), date(2026, 1, 14)


def quiet(text: str) -> None:
    return


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str], dict[str, str]]]:
    """A backup's folder, with the digests of all tables and of all landed files at that time."""
    home = tmp_path_factory.mktemp("backup") / "home"
    with pytest.MonkeyPatch.context() as patch, sandbox.running(scenario="worked_example") as vendors:
        use(patch, home)
        for name, fields in vendors.connections().items():
            patch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(fields))
        try:
            databases.start_database(quiet)
            ledger.migrate()
            load.create_tables()
            with psycopg.connect(databases.airflow_dsn("postgresql")) as connection:
                connection.execute("create table dag_run (run_id text primary key)")
                connection.execute("insert into dag_run values ('scheduled__2026-01-10')")
            for source in ("google_ads", "hubspot"):
                for stream in SOURCES[source].streams:
                    load.load(read(source, stream.name))
            with psycopg.connect(settings.dsn("publisher")) as connection:
                connection.execute("create table bi.fct_kept (date_day date primary key, spend numeric)")
                days = "select date '2026-01-01' + n, n * 1.10 from generate_series(0, 99) as n"
                connection.execute(f"insert into bi.fct_kept {days}".encode())
            folder = backup.back_up(home.parent / "backups", quiet)
            yield folder, digests(), files(home)
        finally:
            services.down(quiet)
            postgres.remove(home)


def use(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Settings of an installation in this home and of nothing else."""
    for name in list(os.environ):
        if name.startswith(("AIRFLOW_", "FUNNEL_", "REPORTING_", "WAREHOUSE_", "SANDBOX")):
            patch.delenv(name)
    patch.setenv("FUNNEL_HOME", str(home))
    patch.setenv("DASHBOARDS", "off")
    patch.setenv("POSTGRES_PORT", str(ports.free_port()))
    patch.setenv("BACKUP_PASSPHRASE", PASSPHRASE)


def read(source: str, stream: str) -> landing.LandedRead:
    window = Window(FIRST, LAST)
    fetched_at = datetime(2026, 1, 20, tzinfo=UTC)
    return landing.land(
        SOURCES[source], settings.connection(source), SOURCES[source].stream(stream), window, "run", fetched_at
    )


def digests() -> dict[str, str]:
    """A digest of the rows of each table, view and sequence of the warehouse, and of Airflow's."""
    found = {}
    for dsn in (settings.dsn("admin"), databases.airflow_dsn("postgresql")):
        with psycopg.connect(dsn) as connection:
            tables = connection.execute(
                "select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables "
                "where schemaname not in ('pg_catalog', 'information_schema')"
            ).fetchall()
            for (table,) in tables:
                query = f"select md5(string_agg(t::text, e'\\n' order by t::text)), count(*) from {table} as t"
                found[table] = str(connection.execute(query.encode()).fetchone())
    return found


def files(home: Path) -> dict[str, str]:
    landed = [path for path in (home / "landing").rglob("*") if path.is_file()]
    return {str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest() for path in landed}


def test_a_restored_installation_has_equal_rows_files_and_secrets(
    taken: tuple[Path, dict[str, str], dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, rows, landed = taken
    kept = secret_store.secrets()
    home = tmp_path / "restored"
    use(monkeypatch, home)
    try:
        backup.restore(folder, quiet)
        assert digests() == rows
        assert len(rows) > 40
        assert files(home) == landed
        assert secret_store.secrets() == kept
        # Nothing was migrated: the release that wrote the backup could go on with it.
        assert ledger.migrate() == []
        # It goes on: the same read is known, the next is loaded, and readers may read.
        again = next(read for read in landing.reads() if read.source == "google_ads")
        assert not load.load(again).is_new
        with psycopg.connect(settings.dsn("bi_reader")) as connection:
            assert connection.execute("select count(*) from bi.fct_kept").fetchone() == (100,)
        with psycopg.connect(settings.dsn("loader")) as connection:
            assert connection.execute("select count(*) > 0 from ops.loads").fetchone() == (True,)
        with pytest.raises(errors.BackupError, match=r"is not empty: it has secrets\.json, postgres\.json, landing"):
            backup.restore(folder, quiet)
    finally:
        services.down(quiet)
        postgres.remove(home)


def test_a_backup_shows_no_secret(taken: tuple[Path, dict[str, str], dict[str, str]]) -> None:
    folder, _, _ = taken
    content = b"".join(path.read_bytes() for path in folder.iterdir())
    assert [name for name, secret in secret_store.secrets().items() if secret.encode() in content] == []
    assert folder.stat().st_mode & 0o077 == 0


def test_taken_backups_are_noted(taken: tuple[Path, dict[str, str], dict[str, str]]) -> None:
    folder, _, _ = taken
    [noted] = [json.loads(line) for line in (settings.read().home / "backups.jsonl").read_text().splitlines()]
    assert noted["destination"] == str(folder)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("cut", r"warehouse\.dump is missing or differs from manifest\.json"),
        ("lost", r"landing\.tar is missing or differs"),
        ("unfinished", r"is not a complete backup: manifest\.json cannot be read"),
        ("passphrase", "is not the one of this backup"),
        ("no passphrase", r"set BACKUP_PASSPHRASE \(at least 12 characters\)"),
    ],
)
def test_what_cannot_be_restored_changes_nothing(
    taken: tuple[Path, dict[str, str], dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: str,
    message: str,
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(taken[0], folder)
    home = tmp_path / "home"
    use(monkeypatch, home)
    if damage == "cut":
        dump = folder / "warehouse.dump"
        dump.write_bytes(dump.read_bytes()[:-1])
    elif damage == "lost":
        (folder / "landing.tar").unlink()
    elif damage == "unfinished":
        (folder / "manifest.json").unlink()
    else:
        monkeypatch.setenv("BACKUP_PASSPHRASE", "another passphrase" if damage == "passphrase" else "")
    with pytest.raises(errors.BackupError, match=message):
        backup.restore(folder, quiet)
    assert not home.exists()
