"""Decisions of `make up` before it starts anything: databases, simulated vendors, owners of processes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest

from dashboards import warehouse_logins
from funnel import ledger, secret_store, settings
from funnel.sources import SOURCES
from installation import (
    airflow_setup,
    dashboards,
    databases,
    demo,
    environments,
    errors,
    ports,
    postgres,
    processes,
    readers,
    services,
)
from installation.sandbox import anchor, needs_sandbox, sandbox_connections
from tests.waiting import await_that


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home without settings of the user who runs the tests; its server, if any, is removed afterwards."""
    for name in list(os.environ):
        if name.startswith(("AIRFLOW_", "FUNNEL_", "REPORTING_", "WAREHOUSE_", "SANDBOX")):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    monkeypatch.setenv("FUNNEL_HOME", str(folder))
    monkeypatch.setenv("POSTGRES_PORT", str(ports.free_port()))
    yield folder
    services.down(quiet)
    postgres.remove(folder)


def quiet(text: str) -> None:
    return


def test_an_existing_server_gets_the_databases_instead_of_an_embedded_one(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    try:
        existing = postgres.start(other, settings={"fsync": "off"})
        monkeypatch.setenv("WAREHOUSE_DSN", existing.dsn("company"))
        databases.start_database(quiet)
        databases.start_database(quiet)
        ledger.migrate()
        assert postgres.find(home) is None
        with psycopg.connect(settings.dsn("bi_reader")) as connection:
            assert connection.execute("select current_database()").fetchone() == ("company",)
        airflow = airflow_setup.airflow_environment()["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
        with psycopg.connect(airflow.replace("postgresql+psycopg2", "postgresql")) as connection:
            owner = (
                "select current_database(), pg_get_userbyid(datdba) from pg_database where datname = current_database()"
            )
            assert connection.execute(owner.encode()).fetchone() == ("company_airflow", "company_airflow")
        # The documents' commands for backups have these names.
        assert databases.superset_dsn("postgresql").endswith("/company_superset")
    finally:
        postgres.remove(other)


def test_a_server_that_is_too_old_is_refused_by_its_version(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_DSN", "postgresql://somebody@nowhere/company")
    info = type("Info", (), {"server_version": 140011})
    connection = type("Connection", (), {"info": info, "__enter__": lambda self: self, "__exit__": lambda *_: None})
    monkeypatch.setattr(psycopg, "connect", lambda *_, **__: connection())
    with pytest.raises(errors.ServerError, match=r"PostgreSQL 14; versions 15 to 18"):
        databases.start_database(quiet)


def test_airflow_cannot_read_the_warehouse_nor_the_warehouse_airflow(home: Path) -> None:
    databases.start_database(quiet)
    ledger.migrate()
    airflow = airflow_setup.airflow_environment()["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "")
    with psycopg.connect(airflow) as connection:
        assert connection.execute("select current_user").fetchone() == ("airflow",)
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(airflow.removesuffix("/airflow") + "/warehouse")
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(settings.dsn("pipeline").removesuffix("/warehouse") + "/airflow")


def test_a_saved_connection_that_a_variable_hides_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    databases.start_database(quiet)
    script = """
import sys
from airflow.models import Connection
from sqlalchemy import create_engine, text
engine = create_engine(sys.argv[1])
Connection.metadata.create_all(engine, [Connection.metadata.tables["team"], Connection.__table__])
with engine.begin() as connection:
    for name in ("salesforce", "hubspot", "aws_default"):
        connection.execute(text("insert into connection (conn_id, conn_type, is_encrypted, is_extra_encrypted)"
                                " values (:name, 'http', false, false)"), {"name": name})
"""
    database = airflow_setup.airflow_environment()["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    subprocess.run([sys.executable, "-c", script, database], env=airflow_setup.airflow_environment(), check=True)
    said: list[str] = []
    # The sandbox simulates all vendors: its variables hide the saved connections.
    airflow_setup.warn_of_hidden_connections(said.append)
    assert [line.split()[2] for line in said] == ["hubspot", "salesforce"]
    assert all("SANDBOX=off" in line for line in said)
    said.clear()
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE", '{"host": "https://acme.my.salesforce.com"}')
    airflow_setup.warn_of_hidden_connections(said.append)
    (line,) = said
    assert "connection salesforce is saved in Airflow" in line
    assert "unset AIRFLOW_CONN_SALESFORCE" in line
    monkeypatch.delenv("AIRFLOW_CONN_SALESFORCE")
    monkeypatch.setenv("SANDBOX", "off")
    said.clear()
    airflow_setup.warn_of_hidden_connections(said.append)
    assert said == []


def test_the_sandbox_plays_all_vendors_or_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert needs_sandbox()
    vendors = {name for name, source in SOURCES.items() if not source.is_inbox}
    assert set(airflow_setup.airflow_environment()) >= {f"AIRFLOW_CONN_{name.upper()}" for name in vendors}
    monkeypatch.setenv("AIRFLOW_CONN_HUBSPOT", json.dumps({"conn_type": "http", "host": "https://api.hubapi.com"}))
    assert not needs_sandbox()
    made = {name for name in airflow_setup.airflow_environment() if name.startswith("AIRFLOW_CONN_")}
    assert made == {"AIRFLOW_CONN_HUBSPOT"}
    assert "sandbox" not in {row.name for row in services.status()}


def test_a_shell_with_this_installations_settings_still_means_the_sandbox(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in airflow_setup.airflow_environment().items():
        monkeypatch.setenv(name, value)
    assert needs_sandbox()
    # Days later the company lists fewer accounts; the shell still has the earlier list.
    earlier = json.loads(airflow_setup.airflow_environment()["AIRFLOW_CONN_GOOGLE_ADS"])
    earlier["extra"]["customer_ids"].append("4155550199")
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_ADS", json.dumps(earlier))
    assert needs_sandbox()


def test_the_sandbox_can_be_turned_off(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX", "off")
    assert not needs_sandbox()


def test_the_made_up_company_stays_the_same_one(home: Path) -> None:
    (home / "sandbox.json").parent.mkdir(parents=True)
    (home / "sandbox.json").write_text(json.dumps({"anchor": "2026-03-04"}))
    assert anchor() == "2026-03-04"
    (home / "sandbox.json").unlink()
    first = anchor()
    assert anchor() == first
    assert json.loads((home / "sandbox.json").read_text()) == {"anchor": first}


def test_a_stated_day_is_today_of_the_demo_and_of_its_company(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUNNEL_TODAY", "2028-02-29")
    assert demo.newest_day() == date(2028, 2, 28)
    assert anchor() == "2028-02-29"
    sandbox = next(each for each in services._services() if each.name == "sandbox")
    assert " ".join(sandbox.command).endswith("--now 2028-02-29T00:00:00Z")
    monkeypatch.setenv("FUNNEL_TODAY", "29.02.2028")
    with pytest.raises(settings.ConfigurationError, match=r"FUNNEL_TODAY is '29\.02\.2028'"):
        demo.newest_day()


def test_a_home_of_before_a_source_gets_its_connection(home: Path) -> None:
    connections = sandbox_connections()
    assert "exchange_rates" in connections
    kept = home / "sandbox" / "connections.json"
    stored = json.loads(kept.read_text())
    del stored["connections"]["exchange_rates"]
    kept.write_text(json.dumps(stored))
    assert sandbox_connections() == connections


def test_an_account_that_the_company_closed_leaves_the_list(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def listed(day: str) -> list[str]:
        monkeypatch.setenv("FUNNEL_TODAY", day)
        accounts: list[str] = json.loads(sandbox_connections()["google_ads"])["extra"]["customer_ids"]
        return accounts

    first = listed("2026-03-31")
    # It closes on the seventeenth day, and is refused for two days.
    assert listed("2026-04-19") == first
    assert listed("2026-04-20") == first[:1]


def test_settings_of_the_caller_win_over_ours(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert airflow_setup.airflow_environment()["AIRFLOW__CORE__PARALLELISM"] == "8"
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "3")
    assert airflow_setup.airflow_environment()["AIRFLOW__CORE__PARALLELISM"] == "3"


def test_a_home_keeps_its_ports_until_the_environment_says_others(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.mkdir()
    started_with = settings.read().postgres_port
    settings.keep_ports()
    monkeypatch.delenv("POSTGRES_PORT")
    assert settings.read().postgres_port == started_with
    assert f":{started_with}/" in settings.dsn("bi_reader")
    monkeypatch.setenv("POSTGRES_PORT", "5440")
    assert settings.read().postgres_port == 5440


def test_two_homes_share_no_file_no_port_and_no_secret(home: Path, tmp_path: Path) -> None:
    one = airflow_setup.airflow_environment()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FUNNEL_HOME", str(tmp_path / "second"))
        for name in ("POSTGRES_PORT", "AIRFLOW_PORT", "SANDBOX_PORT", "SANDBOX_TLS_PORT"):
            patch.setenv(name, str(ports.free_port()))
        two = airflow_setup.airflow_environment()
    shared = {name for name in one if name.startswith("AIRFLOW") and one[name] == two.get(name)}
    for name in shared:
        assert str(home) not in one[name], name
        assert not name.endswith(("_KEY", "_SECRET", "_PORT", "_URL", "_CONN")), name


def test_what_a_killed_service_left_behind_is_ended_before_it_starts_again(home: Path) -> None:
    (home / "logs").mkdir(parents=True)
    script = f"sleep 600 & echo $! > {home}/child; wait"
    processes.spawn(processes.Service("sandbox", ("/bin/sh", "-c", script), {}), dict(os.environ))
    child = home / "child"

    def started() -> int:
        return int(child.read_text() or 0) if child.exists() else 0

    await_that(lambda: started() > 0, 20)
    first, service = started(), processes.process("sandbox")
    assert service
    assert is_alive(first)
    service.kill()
    await_that(lambda: started() not in (0, first), 20)
    assert not is_alive(first)
    second = started()
    processes.terminate("sandbox")
    assert not is_alive(second)


def is_alive(pid: int) -> bool:
    import psutil

    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_superset_cannot_read_the_warehouse_but_as_a_reader(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "SUPERSET", Path(sys.executable))
    monkeypatch.delenv("DASHBOARDS", raising=False)
    databases.start_database(quiet)
    ledger.migrate()
    environment = dashboards.superset_environment()
    metadata = environment["SUPERSET_DATABASE_URI"].replace("+psycopg2", "")
    with psycopg.connect(metadata) as connection:
        assert connection.execute("select current_user").fetchone() == ("superset",)
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(metadata.removesuffix("/superset") + "/warehouse")
    # Superset stores the warehouse's URL: it names the login that reads nothing, and no password of a reader is in its
    # environment.
    readers.prepare_readers()
    reader = environment["WAREHOUSE_READER_URI"]
    assert secret_store.secret("bi_reader_password") not in environment.values()
    password = warehouse_logins.password(readers.login_secret(), warehouse_logins.NO_GRANTS)
    with psycopg.connect(reader, password=password) as connection:
        assert connection.execute("select current_user").fetchone() == (warehouse_logins.NO_GRANTS,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select 1 from bi.data_status")


@pytest.mark.parametrize("reason", ["not installed", "switched off"])
def test_without_superset_all_else_is_as_before(home: Path, monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    monkeypatch.setattr(
        environments, "SUPERSET", home / "nowhere" if reason == "not installed" else Path(sys.executable)
    )
    monkeypatch.setenv("DASHBOARDS", "on" if reason == "not installed" else "off")
    assert not environments.has_dashboards()
    assert "superset" not in {row.name for row in services.status()}
    databases.start_database(quiet)
    with psycopg.connect(settings.dsn("admin")) as connection:
        assert connection.execute("select 1 from pg_database where datname = 'superset'").fetchone() is None
    with pytest.raises(errors.ServiceError, match="Superset is not installed"):
        services.start_dashboards(quiet)
