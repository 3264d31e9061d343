"""What is older than its retention is removed and recorded; what a guarantee needs stays."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from funnel import cli, settings
from funnel.contract import Connection, Window
from funnel.erasure import retention
from funnel.ingest import landing, load
from funnel.sources import SOURCES

NOW = datetime.now(UTC)
OLD = NOW - timedelta(days=500)


def land(moment: datetime, number: int, updated: str = "2026-01-05T10:00:00Z") -> None:
    """A contact, and one that cannot be read, landed and loaded at this time."""
    body = b'{"results": [{"id": "%d", "updatedAt": "%s"}, {"id": "%d0", "updatedAt": "soon"}]}' % (
        number,
        updated.encode(),
        number,
    )
    source = replace(SOURCES["hubspot"], fetch=lambda *_: iter([body]))
    window = Window(moment.date() - timedelta(days=1), moment.date())
    connection = Connection("hubspot", "http://x")
    load.load(landing.land(source, connection, source.stream("contacts"), window, f"run{number}", moment))


def ask(query: str) -> Any:
    with psycopg.connect(settings.dsn("admin")) as admin:
        return admin.execute(query.encode()).fetchall()


@pytest.fixture
def history(warehouse: str) -> None:
    land(OLD, 1)
    land(NOW - timedelta(days=1), 2)
    with psycopg.connect(warehouse) as admin:
        admin.execute(
            "insert into ops.checks (suite, table_name, expectation, severity, passed, checked_at) "
            "values ('s', 't', 'e', 'warning', true, %s), ('s', 't', 'e', 'warning', true, %s)",
            (OLD, NOW),
        )
    logs = settings.read().home / "logs" / "tasks"
    logs.mkdir(parents=True)
    for name, moment in (("old.log", OLD), ("new.log", NOW)):
        (logs / name).write_text("text")
        os.utime(logs / name, (moment.timestamp(), moment.timestamp()))


@pytest.mark.usefixtures("history")
def test_the_defaults_remove_no_landed_read_and_no_history() -> None:
    removed = retention.enforce()
    assert {kind: (one.rows, one.files) for kind, one in removed.items()} == {
        "quarantine": (1, 0),
        "details": (1, 0),
        "logs": (0, 1),
    }
    assert len(list(landing.reads())) == 2
    assert ask("select count(*) from ops.quarantine") == [(2,)]
    assert ask("select count(*) from raw.quarantine") == [(1,)]
    assert ask("select kind, rows_removed, files_removed from ops.retention order by 1") == [
        ("details", 1, 0),
        ("logs", 0, 1),
        ("quarantine", 1, 0),
    ]
    assert retention.enforce() == {}


@pytest.mark.usefixtures("history")
def test_a_replay_says_which_reads_were_removed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RETENTION_LANDED_DAYS", "400")
    half_written = landing.root() / "hubspot/hubspot/contacts/2024-01-01_2024-01-02/run/20240101T000000000000-1"
    half_written.mkdir(parents=True)
    os.utime(half_written, (OLD.timestamp(), OLD.timestamp()))
    # The manifest, one body, and nothing of the attempt without a manifest.
    assert retention.enforce()["landed"].files == 2
    assert not half_written.exists()
    assert [read.run_id for read in landing.reads()] == ["run2"]
    monkeypatch.setattr("funnel.gate.deliveries.check_raw", lambda *_: pytest.fail("nothing is new"))
    assert cli.main(["replay"]) == 0
    assert f"Reads landed before {NOW - timedelta(days=400):%Y-%m-%d}" in capsys.readouterr().out


@pytest.mark.parametrize(("kind", "days"), [("DETAILS", "90"), ("HISTORY", "7"), ("LANDED", "1"), ("LOGS", "soon")])
def test_a_retention_that_breaks_a_guarantee_is_refused_by_name(
    warehouse: str, monkeypatch: pytest.MonkeyPatch, kind: str, days: str
) -> None:
    monkeypatch.setenv(f"RETENTION_{kind}_DAYS", days)
    with pytest.raises(settings.ConfigurationError, match=f"RETENTION_{kind}_DAYS"):
        retention.enforce()
    assert ask("select count(*) from ops.retention") == [(0,)]


def test_history_ends_where_a_rollback_ends(warehouse: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(warehouse) as admin:
        admin.execute("set role publisher")
        admin.execute("create table bi_history.fct_x (x int, publication_id bigint, replaced_by bigint)")
        admin.execute("reset role")
        admin.execute(
            "insert into ops.builds (as_of, is_full, since_load_id, through_load_id, reporting_currency, "
            "reporting_timezone, master_crm, sources_configured, sources_late, status, project_fingerprint, "
            "code_version) select now(), true, 0, 0, 'USD', 'UTC', 'salesforce', '{}', '{}', 'published', '', '' "
            "from generate_series(1, 3)"
        )
        for number, moment in enumerate((OLD, OLD + timedelta(days=1), NOW), start=1):
            admin.execute(
                "insert into ops.publications (build_id, as_of, through_load_id, marts, rows_changed, audited_at, "
                "published_at, previous_id) values (%s, now(), 0, '{}', '{}', now(), %s, %s)",
                (number, moment, number - 1 or None),
            )
        admin.execute("insert into bi_history.fct_x values (1, 1, 2), (2, 2, 3)")
    monkeypatch.setenv("RETENTION_HISTORY_DAYS", "400")
    assert retention.enforce()["history"].rows == 1
    assert ask("select x from bi_history.fct_x") == [(2,)]
    assert ask("select publication_id, previous_id from ops.publications order by 1") == [(1, None), (2, None), (3, 2)]
