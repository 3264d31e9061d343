"""Files on their way into raw: loaded once, replaced by key in any order; nothing is lost, nothing personal is kept."""

import json
import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import zstandard

from funnel.contract import Connection, Window
from funnel.gate import deliveries
from funnel.inbox.errors import ManifestError
from funnel.ingest import encryption, landing, load, notes
from funnel.sources import files

WINDOW = Window(date(2026, 11, 22), date(2026, 11, 23))
MANIFEST = """
source: acme_crm
currency: BRL
timezone: America/Sao_Paulo
streams:
  - entity: opportunities
    path: deals*.csv
    bad_rows: 0.5
    columns: {opportunity_id: id, stage: stage, amount: amount, created_at: created}
    map:
      stage: {W: won, L: lost, O: opportunity}
  - entity: leads
    path: leads/*
    columns: {lead_id: id, email: mail, person_id: person, created_at: created}
"""
HEADER = "id,stage,amount,created\n"


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    (folder / "leads").mkdir(parents=True)
    (folder / "acme.yml").write_text(MANIFEST)
    return folder


@pytest.fixture
def take(warehouse: str, inbox: Path) -> Callable[..., dict[str, load.LoadResult]]:
    """Load the inbox as a run does, each time one minute later; returns the result of each stream with files."""
    clock = [datetime(2026, 11, 23, 3, tzinfo=UTC)]

    def run(run_id: str = "run") -> dict[str, load.LoadResult]:
        clock[0] += timedelta(minutes=1)
        results = {}
        for name in ("opportunities", "leads"):
            known = notes.known_files("files", "acme_crm", name)
            connection = Connection("acme_crm", str(inbox), extra={"known": known})
            stream = files.SOURCE.stream(name)
            read = landing.land(files.SOURCE, connection, stream, WINDOW, f"{run_id} {clock[0]}", clock[0])
            results[name] = load.load(read)
        return results

    return run


def ask(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def deals(dsn: str) -> dict[str, Any]:
    return dict(ask(dsn, "select opportunity_id, amount from raw.files__opportunities"))


def counts(result: load.LoadResult) -> tuple[int, int, int]:
    return result.rows_read, result.rows_loaded, result.rows_quarantined


def test_good_rows_load_and_bad_ones_are_in_quarantine_with_file_line_column_and_reason(
    warehouse: str, inbox: Path, take: Any
) -> None:
    (inbox / "deals.csv").write_text(HEADER + "1,W,10,2026-01-02\n2,W,ten,2026-01-02\n3,W,5,2026-01-02\n")
    assert counts(take()["opportunities"]) == (3, 2, 1)
    assert deals(warehouse) == {"1": 10, "3": 5}
    assert ask(warehouse, "select file, line_no, column_name, reason from ops.quarantine") == [
        ("deals.csv", 3, "amount", "is not a number")
    ]
    [(payload,)] = ask(warehouse, "select payload from raw.quarantine")
    assert payload["row"]["amount"] == "ten"
    assert ask(warehouse, "select path, status, rows_read, rows_loaded, rows_quarantined from ops.files") == [
        ("deals.csv", "loaded", 3, 2, 1)
    ]


def test_the_same_content_twice_changes_nothing(warehouse: str, inbox: Path, take: Any) -> None:
    (inbox / "deals.csv").write_text(HEADER + "1,W,10,2026-01-02\n")
    take()
    before = ask(warehouse, "select * from raw.files__opportunities")
    os.utime(inbox / "deals.csv")
    assert counts(take()["opportunities"]) == (0, 0, 0)
    assert ask(warehouse, "select * from raw.files__opportunities") == before


def test_a_copy_is_read_for_its_place_among_the_files_and_changes_no_row(
    warehouse: str, inbox: Path, take: Any
) -> None:
    (inbox / "deals.csv").write_text(HEADER + "1,W,10,2026-01-02\n")
    take()
    rows = "select opportunity_id, stage, amount, _load_id from raw.files__opportunities"
    before = ask(warehouse, rows)
    (inbox / "deals copy.csv").write_text((inbox / "deals.csv").read_text())
    assert counts(take()["opportunities"]) == (1, 1, 0)
    assert ask(warehouse, rows) == before
    assert counts(take()["opportunities"]) == (0, 0, 0)


def test_a_corrected_file_replaces_by_key_and_touches_only_what_differs(warehouse: str, inbox: Path, take: Any) -> None:
    (inbox / "deals.csv").write_text(HEADER + "1,W,10,2026-01-02\n2,W,20,2026-01-02\n")
    first = take()["opportunities"].load_id
    (inbox / "deals.csv").write_text(HEADER + "1,W,11,2026-01-02\n2,W,20,2026-01-02\n")
    second = take()["opportunities"].load_id
    assert deals(warehouse) == {"1": 11, "2": 20}
    assert ask(warehouse, "select opportunity_id, _load_id from raw.files__opportunities order by 1") == [
        ("1", second),
        ("2", first),
    ]


def test_a_file_that_returns_to_what_it_said_is_read_again(warehouse: str, inbox: Path, take: Any) -> None:
    for amount in (10, 11, 10):
        (inbox / "deals.csv").write_text(HEADER + f"1,W,{amount},2026-01-02\n")
        take()
    assert deals(warehouse) == {"1": 10}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_the_order_of_arrival_does_not_matter(warehouse: str, inbox: Path, take: Any, order: tuple[int, ...]) -> None:
    """Of two files with the same record, the one with the later name counts: 10 comes after 9."""
    arrivals = [
        ("deals.csv", "1,W,1,2026-01-02\n2,W,1,2026-01-02\n"),
        ("deals 9.csv", "2,W,2,2026-01-02\n3,W,2,2026-01-02\n"),
        ("deals 10.csv", "3,W,3,2026-01-02\n"),
    ]
    for place in order:
        name, content = arrivals[place]
        (inbox / name).write_text(HEADER + content)
        take()
    assert deals(warehouse) == {"1": 1, "2": 2, "3": 3}


def test_a_changed_manifest_reads_its_files_again(warehouse: str, inbox: Path, take: Any) -> None:
    (inbox / "deals.csv").write_text(HEADER + "1,W,10,03/04/2026\n")
    (inbox / "acme.yml").write_text(MANIFEST.replace("bad_rows: 0.5", 'bad_rows: 0.5\n    date_format: "%d/%m/%Y"'))
    take()
    assert ask(warehouse, "select created_on from raw.files__opportunities") == [(date(2026, 4, 3),)]
    (inbox / "acme.yml").write_text(MANIFEST.replace("bad_rows: 0.5", 'bad_rows: 0.5\n    date_format: "%m/%d/%Y"'))
    take()
    assert ask(warehouse, "select created_on from raw.files__opportunities") == [(date(2026, 3, 4),)]


def test_a_refused_file_leaves_no_row_and_the_others_load(warehouse: str, inbox: Path, take: Any) -> None:
    (inbox / "deals 1.csv").write_text(HEADER + "1,W,10,03/04/2026\n")
    (inbox / "deals 2.csv").write_text(HEADER + "2,W,10,2026-01-02\n")
    result = take()["opportunities"]
    assert deals(warehouse) == {"2": 10}
    [(run_id,)] = ask(warehouse, f"select run_id from ops.loads where load_id = {result.load_id}")
    [told] = notes.refused_files("files", run_id)
    assert told.startswith("deals 1.csv is refused whole: created_at is ambiguous")
    (inbox / "deals 1.csv").write_text(HEADER + "1,W,10,2026-03-04\n")
    take()
    assert deals(warehouse) == {"1": 10, "2": 10}


def test_a_repaired_row_is_marked_in_quarantine(warehouse: str, inbox: Path, take: Any) -> None:
    (inbox / "deals.csv").write_text(HEADER + "1,W,ten,2026-01-02\n2,W,2,2026-01-02\n")
    (inbox / "deals 2.csv").write_text(HEADER + "3,W,x,2026-01-02\n4,W,2,2026-01-02\n")
    take()
    (inbox / "deals.csv").write_text(HEADER + "1,W,10,2026-01-02\n2,W,2,2026-01-02\n")
    take()
    assert ask(warehouse, "select file, replayed_at is not null from ops.quarantine order by file") == [
        ("deals 2.csv", False),
        ("deals.csv", True),
    ]


def test_persons_are_hashes_outside_quarantine(warehouse: str, inbox: Path, take: Any) -> None:
    (inbox / "leads" / "x.csv").write_text("id,mail,person,created\n1,Ann@Example.com,529.982.247-25,2026-01-02\n")
    assert counts(take()["leads"]) == (1, 1, 0)
    [row] = ask(warehouse, "select email_key, email_domain, person_id_key, _record_key from raw.files__leads")
    assert row[1] == "example.com"
    assert all(len(key) == 32 for key in (row[0], row[2], row[3]))
    stored = str(ask(warehouse, "select value from raw.files__leads as leads, jsonb_each_text(to_jsonb(leads))"))
    assert "ann" not in stored.lower()
    # Three digits alone may occur in a hash or a time.
    assert "529.982" not in stored
    assert "529982247" not in stored


def test_a_landed_read_can_be_loaded_into_another_warehouse(warehouse: str, inbox: Path, take: Any) -> None:
    (inbox / "deals.csv").write_text(HEADER + "1,W,10,2026-01-02\n2,W,ten,2026-01-02\n")
    take()
    with psycopg.connect(warehouse) as admin:
        admin.execute("drop table raw.files__opportunities, raw.files__leads")
        admin.execute("truncate ops.loads, ops.files, ops.quarantine, raw.quarantine cascade")
    (inbox / "deals.csv").unlink()
    for read in landing.reads("files"):
        load.load(read)
    assert deals(warehouse) == {"1": 10}
    assert ask(warehouse, "select count(*) from ops.quarantine") == [(1,)]


def test_a_table_lands_under_its_own_name_and_is_read_under_the_one_it_had_before(
    warehouse: str, inbox: Path, take: Any
) -> None:
    (inbox / "deals.csv").write_text(HEADER + "1,W,10,2026-01-02\n")
    take()
    [read] = [one for one in landing.reads("files") if one.stream == "opportunities"]
    folder = landing.root() / read.path
    assert [file.name for file in read.files] == ["000001.json.zst", "000002.arrow"]
    (folder / "000002.json.zst").write_bytes(
        zstandard.compress(encryption.decrypted((folder / "000002.arrow").read_bytes()))
    )
    (folder / "000002.arrow").unlink()
    manifest = folder / landing.MANIFEST
    stored = {name: json.loads(manifest.read_text())[name] for name in landing.OLD_MANIFEST}
    manifest.write_text(json.dumps({**stored, "files": ["000001.json.zst", "000002.json.zst"]}))
    with psycopg.connect(warehouse) as admin:
        admin.execute("drop table raw.files__opportunities")
        admin.execute("truncate ops.loads, ops.files cascade")
    load.load(landing.read_manifest(read.path))
    assert deals(warehouse) == {"1": 10}


def test_files_of_one_read_may_have_other_columns_and_leave_no_defaults(warehouse: str, inbox: Path, take: Any) -> None:
    """A value that all rows of a file share is copied as a default; the next file's rows must not get it."""
    (inbox / "acme.yml").write_text(
        "source: acme_crm\ncurrency: BRL\nstreams: [{entity: opportunities, path: deals*.csv}]\n"
    )
    (inbox / "deals 1.csv").write_text("opportunity_id,stage,amount\n1,won,10\n")
    (inbox / "deals 2.csv").write_text("opportunity_id,stage,amount,currency_code\n2,won,20,\n3,won,30,USD\n")
    (inbox / "deals 3.csv").write_text("opportunity_id,stage,region\n4,won,North\n")
    take()
    assert ask(
        warehouse,
        "select opportunity_id, amount, currency_code, region, _file_order from raw.files__opportunities order by 1",
    ) == [
        ("1", 10, "BRL", None, "|deals 000000000001\tdeals 1.csv"),
        ("2", 20, "BRL", None, "|deals 000000000002\tdeals 2.csv"),
        ("3", 30, "USD", None, "|deals 000000000002\tdeals 2.csv"),
        ("4", None, "BRL", "North", "|deals 000000000003\tdeals 3.csv"),
    ]
    assert (
        ask(
            warehouse,
            "select column_name from information_schema.columns "
            "where table_name = 'files__opportunities' and column_default is not null",
        )
        == []
    )


def test_a_file_that_vanishes_between_list_and_read_is_an_error_that_passes(
    warehouse: str, inbox: Path, take: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from funnel.inbox import folder
    from funnel.inbox.errors import Vanished

    (inbox / "deals.csv").write_text(HEADER + "1,W,10,2026-01-02\n")
    listed = folder.files_of

    def list_and_lose(*arguments: Any) -> Any:
        found = listed(*arguments)
        for info in found:
            (inbox / info.path).unlink()
        return found

    monkeypatch.setattr(folder, "files_of", list_and_lose)
    with pytest.raises(Vanished, match=r"deals.csv was listed but no longer exists"):
        take()


def test_an_inbox_on_object_storage_is_read_like_a_folder(warehouse: str) -> None:
    import fsspec

    store = fsspec.filesystem("memory")
    store.pipe("/bucket/in/acme.yml", MANIFEST.encode())
    store.pipe("/bucket/in/deals.csv", (HEADER + "1,W,10,2026-01-02\n").encode())
    assert files.connections("/bucket/in", store) == (("acme_crm",), ())
    connection = Connection("acme_crm", "/bucket/in", extra={"filesystem": store})
    read = landing.land(files.SOURCE, connection, files.SOURCE.stream("opportunities"), WINDOW, "run")
    assert counts(load.load(read)) == (1, 1, 0)
    assert files.connections("memory://bucket/in") == (("acme_crm",), ())
    store.rm("/bucket", recursive=True)


def test_a_manifest_that_cannot_be_used_is_refused_by_name_and_the_others_load(
    warehouse: str, inbox: Path, take: Any
) -> None:
    (inbox / "b.yml").write_text("source: salesforce\nstreams: [{entity: leads, path: x.csv}]\n")
    (inbox / "c.yml").write_text("source: acme_crm\nstreams: [{entity: leads, path: x.csv}]\n")
    (inbox / "d.yml").write_text("source: sales\nstreams: [{entity: \n")
    (inbox / "e.yml").write_text("source: sales\nstreams: " + "[" * 5_000)
    (inbox / "notes.yml").write_text("shopping: [milk]\n")
    found, refused = files.connections(str(inbox))
    assert found == ("acme_crm",)
    assert refused[:2] == (
        "b.yml: source 'salesforce' is a vendor's name; choose another, such as acme_crm.",
        "c.yml: source 'acme_crm' is described by acme.yml already; one manifest describes one source.",
    )
    assert [each.partition(".yml")[0] for each in refused[2:]] == ["d", "e"]
    (inbox / "deals.csv").write_text(HEADER + "1,W,10,2026-01-02\n")
    assert counts(take()["opportunities"]) == (1, 1, 0)


def test_an_inbox_of_nothing_but_broken_manifests_is_an_error(inbox: Path) -> None:
    (inbox / "acme.yml").write_text("source: salesforce\nstreams: [{entity: leads, path: x.csv}]\n")
    with pytest.raises(ManifestError, match="is a vendor's name"):
        files.connections(str(inbox))


def test_a_delivery_of_files_passes_its_gate(warehouse: str, inbox: Path, take: Any) -> None:
    """The manifest states how many bad rows are allowed; the gate does not check it again."""
    (inbox / "deals.csv").write_text(
        HEADER + "".join(f"{n},W,{'x' if n % 5 == 0 else n},2026-01-02\n" for n in range(50))
    )
    for name in (stream.name for stream in files.STREAMS):
        connection = Connection("acme_crm", str(inbox), extra={})
        load.load(landing.land(files.SOURCE, connection, files.SOURCE.stream(name), WINDOW, "run"))
    report = deliveries.check_raw("files", "run")
    assert [check.text for check in report.failures] == []
