"""An installation of release 0.1.0, restored from its backup, is upgraded to this release, and brought back.

`release_0_1_0.tar.xz` is a backup of an installation that commit c6df75b (0.1.0) made itself: its `make demo` over the
sandbox's worked example, 60 days to 2026-02-28, with Airflow's runs and Superset's dashboards. Its dumps are not
compressed, and their secrets are those of a home that is gone.
"""

import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from funnel import ledger, release, secret_store, settings
from installation import backup, databases, environments, errors, ports, postgres, services, upgrade

RELEASE = Path(__file__).with_name("release_0_1_0.tar.xz")
PASSPHRASE = "a passphrase of a test"
Digests = dict[str, tuple[int, str]]
Columns = dict[str, list[str]]


def quiet(text: str) -> None:
    return


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    unpacked = tmp_path_factory.mktemp("release")
    with tarfile.open(RELEASE) as archive:
        archive.extractall(unpacked, filter="data")
    return unpacked


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as made:
        yield made


def use(patch: pytest.MonkeyPatch, home: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("AIRFLOW_", "FUNNEL_", "REPORTING_", "WAREHOUSE_", "SANDBOX", "DASHBOARDS")):
            patch.delenv(name)
    patch.setenv("FUNNEL_HOME", str(home))
    patch.setenv("BACKUP_PASSPHRASE", PASSPHRASE)
    for name in ("POSTGRES_PORT", "AIRFLOW_PORT", "SUPERSET_PORT", "SANDBOX_PORT", "SANDBOX_TLS_PORT"):
        patch.setenv(name, str(ports.free_port()))


@pytest.fixture(scope="module")
def installed(folder: Path, patch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Columns]:
    """The home of the release before; yields the columns of its tables."""
    home = tmp_path_factory.mktemp("upgrade") / "home"
    use(patch, home)
    try:
        backup.restore(folder, quiet)
        yield columns()
    finally:
        services.down(quiet)
        postgres.remove(home)


def dsns() -> dict[str, str]:
    return {"warehouse": settings.dsn("admin"), **databases.other_dsns()}


def columns() -> Columns:
    """The tables of all three databases with their columns."""
    query = """
        select quote_ident(table_schema) || '.' || quote_ident(table_name), array_agg(quote_ident(column_name))
        from information_schema.columns inner join information_schema.tables using (table_schema, table_name)
        where table_schema not in ('pg_catalog', 'information_schema') and table_type = 'BASE TABLE'
        group by 1
    """
    found = {}
    for name, dsn in dsns().items():
        with psycopg.connect(dsn) as connection:
            found |= {f"{name}.{table}": sorted(listed) for table, listed in connection.execute(query.encode())}
    return found


def digests(of: Columns) -> Digests:
    """How many rows each table has, and a digest of their values in these columns."""
    found: Digests = {}
    for name, dsn in dsns().items():
        with psycopg.connect(dsn) as connection:
            for table, listed in of.items():
                database, _, local = table.partition(".")
                if database == name:
                    rows = f"select row({', '.join(listed)})::text as row from {local}"
                    query = f"select count(*), md5(string_agg(row, ' ' order by row)) from ({rows}) as rows"
                    found[table] = connection.execute(query.encode()).fetchone()  # type: ignore[assignment]
    return found


def ask(database: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsns()[database]) as connection:
        return connection.execute(query.encode()).fetchall()


def altered(database: str, statement: str) -> None:
    with psycopg.connect(dsns()[database]) as connection:
        connection.execute(statement.encode())


# Processes stop and start in the long test.
def migrates_only(progress: Any = print) -> None:
    databases.start_database(progress)
    ledger.migrate()


def test_the_release_before_has_its_data_in_all_databases(installed: Columns) -> None:
    if not environments.has_dashboards():
        pytest.skip("Superset is not installed: make dashboards")
    assert ask("warehouse", "select count(*) from bi.fct_leads") == [(5,)]
    assert ask("airflow", "select count(*) > 10 from dag_run where state = 'success'") == [(True,)]
    assert ask("superset", "select count(*), (select count(*) from slices) from dashboards") == [(5, 62)]
    assert ask("superset", "select username from ab_user order by 1") == [("admin",), ("viewer",)]


def test_the_plan_says_what_is_pending(installed: Columns) -> None:
    planned = upgrade.plan(quiet)
    assert (planned.before, planned.is_full, planned.is_needed) == ("0.1.0", True, True)
    assert planned.migrations[0] == "0030_access.sql"
    assert planned.migrations[-1] == max(path.name for path in ledger.MIGRATIONS.glob("*.sql"))
    text = planned.text()
    assert f"upgrade from release 0.1.0 to {release.version()}" in text
    assert "the next build is full" in text
    assert ask("warehouse", "select count(*) from public.schema_migrations") == [(17,)]


@pytest.mark.parametrize(
    ("database", "change", "back", "message"),
    [
        (
            "warehouse",
            "insert into public.schema_migrations (name) values ('9001_later.sql')",
            "delete from public.schema_migrations where name = '9001_later.sql'",
            r"A newer release has migrated this warehouse \(9001_later\.sql\)",
        ),
        (
            "airflow",
            "update alembic_version set version_num = 'x' || version_num",
            "update alembic_version set version_num = substr(version_num, 2)",
            "which the installed airflow does not know: a newer one has migrated it",
        ),
        (
            "warehouse",
            "create table ops.releases (release_id int, release text); insert into ops.releases values (1, '10.0.0')",
            "drop table ops.releases",
            r"has release 10\.0\.0; this checkout is .* older",
        ),
    ],
)
def test_what_a_newer_release_made_is_refused(
    installed: Columns, database: str, change: str, back: str, message: str
) -> None:
    altered(database, change)
    try:
        with pytest.raises((errors.UpgradeError, ledger.LedgerError), match=message):
            upgrade.plan(quiet)
        if "schema_migrations" in change:
            with pytest.raises(ledger.LedgerError, match=message):
                ledger.migrate()
    finally:
        altered(database, back)


def test_an_upgrade_that_stops_is_repeated_with_its_backup_and_changes_no_row(
    installed: Columns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digests(installed)
    home = settings.read().home
    stop = services.down
    monkeypatch.setattr(services, "start_dashboards", quiet)
    monkeypatch.setattr(services, "down", quiet)

    def stops(progress: Any) -> None:
        migrates_only(progress)
        raise errors.ServiceError("scheduler does not start.")

    monkeypatch.setattr(services, "up", stops)
    with pytest.raises(
        errors.UpgradeError, match="The upgrade stopped: ServiceError: scheduler does not start"
    ) as failed:
        upgrade.run(upgrade.plan(quiet), tmp_path, quiet)
    [taken] = tmp_path.iterdir()
    assert f"make restore FROM={taken}" in str(failed.value)

    noted = (home / "upgrade.json").read_text()
    (home / "upgrade.json").write_text(noted.replace(f'"{release.version()}"', '"0.1.9"'))
    with pytest.raises(errors.UpgradeError, match=r"An upgrade to release 0\.1\.9 did not end"):
        upgrade.plan(quiet)
    (home / "upgrade.json").write_text(noted.replace(str(taken), str(tmp_path / "lost")))
    with pytest.raises(errors.UpgradeError, match="is gone"):
        upgrade.plan(quiet)
    (home / "upgrade.json").write_text(noted)

    monkeypatch.setattr(services, "up", migrates_only)
    again = upgrade.plan(quiet)
    assert (again.migrations, again.kept_backup) == ([], str(taken))
    assert f"take no other backup: {taken}" in again.text()
    upgrade.run(again, tmp_path, quiet)
    assert list(tmp_path.iterdir()) == [taken]
    assert not upgrade.plan(quiet).is_needed
    after = digests(installed)
    changed = {table for table in before if after[table] != before[table]}
    assert changed == {"warehouse.public.schema_migrations"}
    assert len(before) > 300

    stop(quiet)
    # The older release starts the server without supervisord, which wrote the log as its own user.
    server = postgres.find(home)
    assert server is not None
    assert server.os_user is None or server.log_file.owner() == server.os_user


def charts(user: str, password: str) -> dict[str, Any]:
    """The answer to the query of each chart that needs no filter of its dashboard."""
    listed = ask("superset", "select uuid::text, id, datasource_id, query_context from slices order by 1")
    limits = httpx.Limits(max_keepalive_connections=0)
    found = {}
    with httpx.Client(base_url=environments.superset_url(), timeout=120, limits=limits) as client:
        body = {"username": user, "password": password, "provider": "db"}
        token = client.post("/api/v1/security/login", json=body).raise_for_status().json()["access_token"]
        client.headers["authorization"] = f"Bearer {token}"
        for name, number, dataset, context in listed:
            asked = {**json.loads(context), "force": True, "datasource": {"id": dataset, "type": "table"}}
            asked["form_data"] = {**asked["form_data"], "slice_id": number}
            answer = client.post("/api/v1/chart/data", json=asked)
            if answer.status_code == 200:
                found[name] = [each["data"] for each in answer.json()["result"]]
    return found


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_an_upgraded_and_a_restored_installation_show_the_same_charts_and_can_go_back(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not environments.has_dashboards():
        pytest.skip("Superset is not installed: make dashboards")
    home, other, back = tmp_path / "home", tmp_path / "other", tmp_path / "back"
    use(monkeypatch, home)
    try:
        backup.restore(folder, quiet)
        before = columns()
        everything = digests(before)
        marts = {table: listed for table, listed in before.items() if table.split(".")[1] in ("bi", "marts", "raw")}
        rows = digests(marts)
        runs = ask("airflow", "select dag_id, run_id, state from dag_run order by 1, 2")
        upgrade.run(upgrade.plan(quiet), tmp_path / "backups", quiet)
        assert digests(marts) == rows
        assert set(runs) <= set(ask("airflow", "select dag_id, run_id, state from dag_run"))
        assert ask("superset", "select count(*) from ab_user where username in ('admin', 'viewer')") == [(2,)]
        shown = charts("viewer", secret_store.secrets()["superset_viewer_password"])
        assert len(shown) > 35
        taken = backup.back_up(tmp_path / "later", quiet)
        services.down(quiet)
        use(monkeypatch, other)
        backup.restore(taken, quiet)
        services.up(quiet)
        services.start_dashboards(quiet)
        assert digests(marts) == rows
        assert charts("viewer", secret_store.secrets()["superset_viewer_password"]) == shown
        services.down(quiet)
        # Back to the release before: what the upgrade has backed up.
        use(monkeypatch, back)
        [undone] = (tmp_path / "backups").iterdir()
        backup.restore(undone, quiet)
        assert columns() == before
        assert digests(before) == everything
    finally:
        for each in (back, other, home):
            monkeypatch.setenv("FUNNEL_HOME", str(each))
            services.down(quiet)
            postgres.remove(each)
