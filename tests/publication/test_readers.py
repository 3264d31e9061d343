"""Readers cannot stop the pipeline: their sessions are limited, and publication ends those that block it."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from funnel import ledger, privileges, settings, warehouse
from funnel.publication import publication, readers, row_security
from installation import postgres
from tests.publication.small_marts import build, run, shown


def test_a_new_column_is_published_though_a_reader_never_ends_its_transaction(
    marts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "LOCK_SECONDS", 1)
    publication.publish(build({("2026-01-01", "a"): 1}))
    with psycopg.connect(settings.dsn("bi_reader")) as reader:
        # A session may raise its own limits.
        reader.execute("set statement_timeout = 0; set idle_in_transaction_session_timeout = 0; set lock_timeout = 0")
        reader.execute("select * from bi.fct_left")
        run("builder", "alter table marts.fct_left add column extra text")
        publication.publish(build({("2026-01-01", "a"): 1, ("2026-01-02", "b"): 2}))
        with pytest.raises(psycopg.OperationalError):
            reader.execute("select 1")
    assert shown() == {("2026-01-01", "a"): 1, ("2026-01-02", "b"): 2}
    assert run("bi_reader", "select extra from bi.fct_left limit 1") == [(None,)]


def test_rows_are_published_beside_a_reader(marts: None) -> None:
    publication.publish(build({("2026-01-01", "a"): 1}))
    with psycopg.connect(settings.dsn("bi_reader")) as reader:
        reader.execute("set transaction isolation level repeatable read")
        reader.execute("select * from bi.fct_left")
        publication.publish(build({("2026-01-01", "a"): 2}))
        # It still sees what it began with.
        assert reader.execute("select value from bi.fct_left").fetchall() == [(1,)]


def test_a_transaction_older_than_the_limit_is_ended(marts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "LONGEST_MINUTES", 0)
    with psycopg.connect(settings.dsn("bi_reader")) as reader, warehouse.connect("publisher") as publisher:
        reader.execute("select 1")
        with psycopg.connect(settings.dsn("loader")) as loader:
            loader.execute("select 1")
            readers.end_long_readers(publisher)
            assert loader.execute("select 1").fetchone() == (1,), "a session of the pipeline is not ended"
        with pytest.raises(psycopg.OperationalError):
            reader.execute("select 1")


@pytest.mark.parametrize(("setting", "value"), [("statement_timeout", "15min"), ("lock_timeout", "10s")])
def test_people_have_limits_and_the_pipeline_has_none(warehouse: str, setting: str, value: str) -> None:
    assert run("bi_reader", f"show {setting}") == [(value,)]
    assert run("builder", f"show {setting}") == [("0",)]


def test_a_role_gets_no_more_connections_than_its_own(warehouse: str) -> None:
    with ExitStack() as opened:
        for _ in range(privileges.CONNECTIONS["people"]):
            opened.enter_context(psycopg.connect(settings.dsn("bi_reader")))
        with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
            psycopg.connect(settings.dsn("bi_reader"))
        assert run("loader", "select 1") == [(1,)]


# --- another server -----------------------------------------------------------------------------------------------

SMALL = {"max_connections": "12", "superuser_reserved_connections": "1", "reserved_connections": "4"}


@pytest.fixture
def small_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[postgres.Server]:
    """A server with few connections, whose administrator `manager` is not a superuser, as managed ones have."""
    server = postgres.start(tmp_path / "small", settings=SMALL | {"fsync": "off"})
    if ledger_version(server) < 160_000:
        pytest.skip("PostgreSQL 15 reserves no connections")
    try:
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute("create role manager login createrole createdb password 'manager'")
            admin.execute("create database warehouse owner manager")
        monkeypatch.setenv("WAREHOUSE_DSN", server.dsn("warehouse", "manager", "manager"))
        yield server
    finally:
        postgres.remove(tmp_path / "small")


def ledger_version(server: postgres.Server) -> Any:
    with psycopg.connect(server.dsn()) as connection:
        return connection.info.server_version


def test_readers_that_take_all_connections_leave_those_of_the_pipeline(small_server: postgres.Server) -> None:
    ledger.migrate(small_server.dsn("warehouse"))
    with ExitStack() as opened:
        for _ in range(12 - 1 - 4):
            opened.enter_context(psycopg.connect(settings.dsn("bi_reader")))
        with pytest.raises(psycopg.OperationalError, match="reserved"):
            psycopg.connect(settings.dsn("bi_reader"))
        assert run("loader", "select 1") == [(1,)]
        assert run("publisher", "select 1") == [(1,)]


def test_row_security_holds_where_the_administrator_is_not_a_superuser(small_server: postgres.Server) -> None:
    ledger.migrate()
    with psycopg.connect(settings.dsn("admin")) as manager:
        assert len(privileges.open_functions(manager)) > 20, "a manager may not revoke them: this test proves nothing"
        manager.execute('create role "Region: EMEA"')
        manager.execute("insert into access.regions values ('EMEA', 'Region: EMEA')")
        manager.execute("create role reader_emea login inherit password 'x' in role dashboards, \"Region: EMEA\"")
        read = ["select region, leads from bi.fct_new"]
        manager.execute("insert into access.datasets values ('funnel', %s), ('wrong', '{selec}')", (read,))
        manager.execute("insert into access.logins values ('reader_emea', true, '{funnel}')")
        manager.execute("grant connect on database warehouse to dashboards")
    with psycopg.connect(settings.dsn("publisher")) as publisher:
        publisher.execute("create table bi.fct_new (region text, leads integer)")
        publisher.execute("insert into bi.fct_new values ('EMEA', 1), ('APAC', 2), ('(all)', 3)")
        row_security.secure(publisher)
    with psycopg.connect(settings.dsn("admin"), user="reader_emea", password="x") as reader:
        assert reader.execute("select * from bi.fct_new").fetchall() == [("EMEA", 1)]
        found = "select ts_rewrite('a', $q$select 'a'::tsquery, plainto_tsquery(sum(leads)::text) from bi.fct_new$q$)"
        assert reader.execute(found.encode()).fetchall() == [("'1'",)]
    with psycopg.connect(settings.dsn("admin")) as manager:
        # A second run, as the administrator, changes nothing and needs no more.
        row_security.secure(manager)
        row_security.secure(manager, "ops")
