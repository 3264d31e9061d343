"""A person who is in all nine vendors, in files, quarantine, undeclared fields and history is forgotten."""

import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from funnel import settings
from funnel.build import dbt_run
from funnel.erasure import forgetting, landed_reads, separate_records, stored_rows
from funnel.erasure.errors import ForgetRefused
from funnel.erasure.persons import Persons, Record
from funnel.gate import replay
from funnel.ingest import landing, load, tombstones
from funnel.ingest.landed_files import ARROW
from funnel.rest import bodies
from funnel.sources import SOURCES, files
from installation import binaries, postgres
from installation import forgetting as everywhere
from tests.build.builds import publish_build
from tests.build.person_everywhere import (
    CUSTOMER,
    EMAIL,
    FOUND,
    FOUND_BY_ID,
    LEAD,
    MORNING,
    SHA256,
    URL,
    complete_all,
    read_everything,
    write_inbox,
)
from tests.conftest import fresh_warehouse


def forget(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    everywhere.run()


def build(*, full: bool = False) -> None:
    """Build with dbt's tests, the conservation of all totals among them, and publish."""
    publish_build(dbt_run.build(full=full).build_id)


def tables(*schemas: str) -> list[tuple[str, str]]:
    query = "select schemaname, tablename from pg_tables where schemaname = any(%s) order by 1, 2"
    with psycopg.connect(settings.dsn("admin")) as admin:
        return admin.execute(query, (list(schemas),)).fetchall()


def totals() -> dict[tuple[str, str], Any]:
    """Rows, and the sum of each number, of every mart as built, shown and shown before."""
    found = {}
    with psycopg.connect(settings.dsn("admin")) as admin:
        for schema, table in tables("marts", "bi", "bi_history"):
            columns = admin.execute(
                "select column_name from information_schema.columns where table_schema = %s and table_name = %s "
                "and data_type in ('numeric', 'bigint', 'integer') and column_name not in "
                "('publication_id', 'replaced_by')",
                (schema, table),
            ).fetchall()
            sums = "".join(f', sum("{name}")' for (name,) in sorted(columns))
            found[schema, table] = admin.execute(f"select count(*){sums} from {schema}.{table}".encode()).fetchone()
    return found


def places_in_the_warehouse(found_by: re.Pattern[bytes] = FOUND) -> list[str]:
    """The tables of a dump of the whole database in which the person is written, in any form."""
    dump = [str(binaries.binaries() / "pg_dump"), settings.dsn("admin"), "--data-only", "--inserts", "--no-comments"]
    written = subprocess.run(dump, capture_output=True, check=True).stdout
    found = {
        line.split()[2].decode()
        for line in written.splitlines()
        if line.startswith(b"INSERT ")
        if is_named(line, found_by)
    }
    # A text of several lines ends the first line of its row.
    return sorted(found or (["a text of several lines"] if is_named(written, found_by) else []))


def is_named(content: bytes, found_by: re.Pattern[bytes]) -> bool:
    """True if the person is written in these bytes, or in the bytes that `bytea` columns of a dump hold."""
    if found_by.search(content):
        return True
    return any(found_by.search(bytes.fromhex(one[3:-1].decode())) for one in re.findall(rb"'\\\\x[0-9a-f]*'", content))


def places_on_disk(home: Path) -> list[str]:
    """The files of FUNNEL_HOME that hold the person; landed files also as they are before encryption."""
    found = [str(path) for path in home.rglob("*") if path.is_file() and FOUND.search(path.read_bytes())]
    for read in landing.reads():
        found += [read.path for body in read.bodies() if FOUND.search(readable(body))]
    return found


def readable(body: bytes) -> bytes:
    """A body as text: tables and archives are compressed inside."""
    if body.startswith(b"PK"):
        return repr(list(bodies.read_zipped_rows(body))).encode()
    if body.startswith(ARROW):
        return repr(list(files.records(files.SOURCE.streams[0], body))).encode()
    return body


def pages_of_the_server(home: Path) -> list[str]:
    """The files of the server, free space in pages and the write-ahead log included, that hold the person."""
    server = postgres.find(home)
    assert server is not None
    with psycopg.connect(settings.dsn("admin"), autocommit=True) as admin:
        admin.execute("checkpoint")
        oid = admin.execute("select oid from pg_database where datname = current_database()").fetchone()
    assert oid is not None
    folders = (server.data_dir / "base" / str(oid[0]), server.data_dir / "pg_wal")
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in paths if FOUND.search(path.read_bytes())]


@pytest.fixture
def company(warehouse: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A published company with this person in every place, and an earlier publication in the history."""
    inbox = tmp_path / "inbox"
    write_inbox(inbox)
    monkeypatch.setenv("FUNNEL_INBOX", str(inbox))
    read_everything(inbox, MORNING, "run 1")
    build()
    read_everything(inbox, MORNING + timedelta(hours=1), "run 2", changed=True)
    build()
    return tmp_path / "home"


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_person_is_gone_from_every_place_and_never_comes_back(
    company: Path,
    cluster_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    outcome: Callable[[str, str, str], None],
) -> None:
    (company / "task.log").write_text(f"refused: {EMAIL} and {LEAD}, at {URL} and {SHA256}\n")
    (company / "backups.jsonl").write_text(json.dumps({"at": "2026-01-09T02:00:00Z", "destination": "/b"}) + "\n")
    held, before, landed = places_in_the_warehouse(), totals(), places_on_disk(company)
    assert {name.partition(".")[0] for name in held} >= {"raw", "intermediate", "marts", "bi", "bi_history"}
    assert {"raw.quarantine", "raw.shopify__orders", "raw.files__leads"} <= set(held)
    vendors = set(SOURCES) - {"files"}
    assert len(vendors) == 9
    assert {place.split("/")[0] for place in landed} >= vendors
    assert {source for source in SOURCES if any(name.startswith(f"raw.{source}__") for name in held)} == set(SOURCES)
    capsys.readouterr()

    forget(f"\n{EMAIL.swapcase()}\n", monkeypatch)

    receipt = capsys.readouterr().out
    assert not FOUND.search(receipt.encode())
    for name in ("leads.csv", "touches.csv", "orders.csv"):
        assert f"your file still holds a person: {name}" in receipt
    assert "a backup still holds them: 2026-01-09T02:00:00Z, /b" in receipt
    assert places_in_the_warehouse() == []
    assert places_on_disk(company) == []
    assert pages_of_the_server(cluster_home) == []
    assert totals() == before

    # The history has one publication more, of what the forgotten records are called now.
    build(full=True)
    shown = {name: sums for name, sums in totals().items() if name[0] != "bi_history"}
    assert {name: sums for name, sums in shown.items() if sums != before[name]} == {}

    # A replay into the same warehouse, and into an empty one; there, too, a new read does not bring the person back.
    replay.replay(print)
    assert "0 runs replayed" in capsys.readouterr().out
    folder = company.parent / "another"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch, fresh_warehouse(cluster_home, patch, folder):
        shutil.copytree(company / "landing", folder / "home" / "landing")
        load.create_tables()
        replay.replay(print)
        complete_all()
        build()
        assert places_in_the_warehouse() == places_on_disk(folder / "home") == []
        made = {name: sums for name, sums in totals().items() if name[0] == "marts"}
        assert {name: (sums, shown[name]) for name, sums in made.items() if sums != shown[name]} == {}
        read_everything(company.parent / "inbox", MORNING + timedelta(days=1), "run 3", changed=True)
        assert places_in_the_warehouse() == places_on_disk(folder / "home") == []

    # A new read of the same vendors and files.
    read_everything(company.parent / "inbox", MORNING + timedelta(days=1), "run 3", changed=True)
    build(full=True)
    assert places_in_the_warehouse() == places_on_disk(company) == []
    again = {name: sums for name, sums in totals().items() if name[0] == "marts"}
    assert {name: sums for name, sums in again.items() if sums != shown[name]} == {}
    outcome(
        "forget",
        "one person",
        f"in {len(held)} tables and {len(landed)} landed files before, 0 after; totals of {len(before)} tables equal",
    )

    # Once more, and without a line: nothing is left to do.
    forget(f"{EMAIL}\n", monkeypatch)
    forget("", monkeypatch)
    assert capsys.readouterr().out.count("0 rows reduced in 0 tables") == 2


def test_a_command_that_was_killed_is_repeated(
    warehouse: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_inbox(tmp_path / "inbox")
    monkeypatch.setenv("FUNNEL_INBOX", str(tmp_path / "inbox"))
    read_everything(tmp_path / "inbox", MORNING, "run")

    class Killed(BaseException):
        pass

    def killed(*_: Any, **__: Any) -> Any:
        raise Killed

    for module, name in (
        (forgetting.stored_rows, "reduce_texts"),
        (landed_reads, "_note_hashes"),
        (forgetting, "rewrite_tables"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, killed)
            with pytest.raises(Killed):
                forget(EMAIL, patch)
    forget(EMAIL, monkeypatch)
    assert places_in_the_warehouse() == places_on_disk(tmp_path / "home") == []
    with psycopg.connect(warehouse) as admin:
        stored = dict(admin.execute("select landing, body_hashes from ops.loads").fetchall())
        runs = admin.execute("select count(*), count(finished_at) from ops.forgettings").fetchone()
    assert {read.path: read.hashes for read in landing.reads() if read.path in stored} == stored
    assert runs == (3, 1)


def test_a_vendor_id_finds_the_same_person_and_an_unclear_line_changes_nothing(
    warehouse: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_inbox(tmp_path / "inbox")
    monkeypatch.setenv("FUNNEL_INBOX", str(tmp_path / "inbox"))
    read_everything(tmp_path / "inbox", MORNING, "run")
    separate = tmp_path / "separate_records.csv"
    header = "source_system,connection_id,record_type,record_id,reason\n"
    listed = header + "salesforce,{},lead,{},two people\nhubspot,hubspot,contact,7,\n"
    separate.write_text(listed.format("salesforce", LEAD))
    monkeypatch.setattr(separate_records, "PATH", separate)
    with pytest.raises(ForgetRefused, match="Line 2: the part before `:`"):
        forget(f"{LEAD}\nhubspot.deals:71\n", monkeypatch)
    with pytest.raises(ForgetRefused, match=r"Line 1: several records have this id; write .*customers:<id>"):
        forget(CUSTOMER, monkeypatch)
    assert "raw.salesforce__leads" in places_in_the_warehouse()
    forget(f"{LEAD}\nunknown-id\n", monkeypatch)
    assert "line 2: no record has this id" in capsys.readouterr().out
    assert places_in_the_warehouse(FOUND_BY_ID) == []
    # The record is known by its tombstone, where it is to be kept apart too.
    [(lead,)] = psycopg.connect(warehouse).execute("select lead_id from raw.salesforce__leads").fetchall()
    assert separate.read_text() == listed.format("salesforce", lead)


def test_who_an_older_backup_brings_back_is_removed_by_the_newer_tombstones(
    warehouse: str, cluster_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_everything(tmp_path, MORNING, "run", of="hubspot")
    older = tmp_path / "older"
    older.mkdir()
    shutil.copytree(landing.root(), older / "landing")
    forget(EMAIL, monkeypatch)
    newer = (landing.root() / tombstones.LANDED).read_bytes()
    assert not FOUND.search(newer)
    with pytest.MonkeyPatch.context() as patch, fresh_warehouse(cluster_home, patch, older):
        shutil.copytree(older / "landing", landing.root())
        for read in landing.reads():
            load.load(read)
        assert "raw.hubspot__contacts" in places_in_the_warehouse()
        (landing.root() / tombstones.LANDED).write_bytes(newer)
        forget("", monkeypatch)
        assert places_in_the_warehouse() == places_on_disk(older / "home") == []


def test_an_id_is_found_in_a_row_that_names_another_system_and_only_in_rows_of_the_person() -> None:
    lead, filed = Record("salesforce", "s", "leads", LEAD), Record("files", "acme_crm", "leads", "7")
    found = Persons(b"secret", records={lead, filed})
    by_id = {LEAD: [lead], "7": [filed]}

    def reduced(value: str, **place: str) -> str | None:
        return stored_rows._with_tombstone(found, by_id, "lead_id", value, place)

    # A row of fct_leads names the system in which the lead began, not that of the id.
    assert reduced(LEAD, source_system="hubspot", person_key="x") == f"forgotten-{found.tombstone(lead)}"
    hers = {"source_system": "hubspot", "person_key": found.tombstone(lead)}
    assert reduced("7", **hers) == f"forgotten-{found.tombstone(filed)}"
    assert reduced("7", **(hers | {"person_key": "another person"})) is None
    assert reduced("7", source_system="acme_crm", person_key="x") == f"forgotten-{found.tombstone(filed)}"
