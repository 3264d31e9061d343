"""Landed files of every source and format, damaged in every way: refused by name, never loaded.

The vendors' bodies are the sandbox's, those of files the tables of an inbox.
"""

import json
import logging
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import zstandard

from funnel import cli, settings
from funnel.contract import Connection, Window
from funnel.gate import deliveries
from funnel.ingest import completeness, encryption, landed_files, landing, load
from funnel.ingest.errors import LandingError, LandingUnreachable
from funnel.ingest.landing import LandedRead
from funnel.sources import SOURCES, files
from tests.vendors import Company

WINDOW = Window(date(2026, 11, 20), date(2026, 11, 23))
MORNING = datetime(2026, 11, 23, 3, tzinfo=UTC)
DAMAGES = 1_000
LOADED = 20
INBOX = """
source: acme_crm
currency: BRL
streams: [{entity: opportunities, path: deals.csv}]
"""


@pytest.fixture
def inbox(tmp_path: Path) -> Connection:
    folder = tmp_path / "inbox"
    folder.mkdir()
    (folder / "acme.yml").write_text(INBOX)
    lines = [f"{number},won,{number * 7 % 1000},2026-01-02" for number in range(2_000)]
    (folder / "deals.csv").write_text("\n".join(["opportunity_id,stage,amount,created_at", *lines, ""]))
    return Connection("acme_crm", str(folder), extra={"known": {}})


@pytest.fixture
def landed(warehouse: str, company: Company, inbox: Connection) -> list[LandedRead]:
    """Three days of every stream of every vendor, and a file."""
    reads = [
        landing.land(source, company.connection(source.name), stream, WINDOW, "run", MORNING)
        for source in SOURCES.values()
        if not source.is_inbox
        for stream in source.streams
    ]
    return [*reads, landing.land(files.SOURCE, inbox, files.SOURCE.stream("opportunities"), WINDOW, "run", MORNING)]


@pytest.fixture
def one(warehouse: str, company: Company) -> LandedRead:
    """A read of several bodies."""
    stream = SOURCES["google_ads"].stream("campaign_stats")
    connection = company.connection("google_ads", page_size=20)
    read = landing.land(SOURCES["google_ads"], connection, stream, WINDOW, "run", MORNING)
    pages = [*read.bodies()] * 3
    again = replace(SOURCES["google_ads"], fetch=lambda *_: iter(pages))
    return landing.land(again, connection, stream, WINDOW, "other run", MORNING)


def folder_of(read: LandedRead) -> Path:
    return landing.root() / read.path


def ask(query: str) -> Any:
    with psycopg.connect(settings.dsn("admin")) as connection:
        return connection.execute(query.encode()).fetchall()


def damage(content: bytes, kind: str, chance: random.Random) -> bytes:
    if kind == "emptied":
        return b""
    if kind == "cut":
        return content[: chance.randrange(1, len(content))]
    place = chance.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :]


def refusal(read: LandedRead, is_loaded: bool) -> str | None:
    """Why a read is refused when it is read, or loaded; None when it is not."""
    try:
        found = landing.read_manifest(read.path)
        if is_loaded:
            load.load(found)
        else:
            found.verify()
    except LandingError as error:
        return str(error)
    return None


def test_a_thousand_damages_are_refused_by_name_and_none_is_loaded(
    landed: list[LandedRead], outcome: Callable[[str, str, str], None]
) -> None:
    chance = random.Random(14)
    by_source: dict[str, list[LandedRead]] = {}
    for read in landed:
        if read.files:
            by_source.setdefault(read.source, []).append(read)
    assert by_source.keys() == SOURCES.keys()
    refused: Counter[tuple[str, str]] = Counter()
    silent: list[str] = []
    for number in range(DAMAGES):
        source = sorted(by_source)[number % len(by_source)]
        read = chance.choice(by_source[source])
        name = chance.choice([landing.MANIFEST, *(file.name for file in read.files)])
        kind = chance.choice(["cut", "cut", "emptied", "flipped", "flipped", "flipped"])
        path = folder_of(read) / name
        content = path.read_bytes()
        path.write_bytes(damage(content, kind, chance))
        told = refusal(read, is_loaded=number % (DAMAGES // LOADED) == 0)
        path.write_bytes(content)
        if told is None:
            silent.append(f"{read.path}/{name} {kind}")
            continue
        assert f"{read.path}/{name} " in told
        assert f"Ingest {source} again for 2026-11-20 to 2026-11-22" in told
        refused[source, "manifest" if name == landing.MANIFEST else name.partition(".")[2]] += 1
    assert silent == []
    assert ask("select count(*) from ops.loads") == [(0,)]
    formats = {kind for _, kind in refused}
    assert formats == {"manifest", "json.zst", "arrow"}
    assert sum(refused.values()) == DAMAGES
    for source in by_source:
        counts = ", ".join(f"{refused[source, kind]} x {kind}" for kind in sorted(formats) if refused[source, kind])
        outcome("landed files cut, emptied or flipped", source, f"refused by name: {counts}; loaded in silence: 0")
    for read in landed:
        landing.read_manifest(read.path).verify()


def lose(read: LandedRead, other: LandedRead) -> str:
    (folder_of(read) / read.files[1].name).unlink()
    return f"{read.files[1].name} is missing"


def add(read: LandedRead, other: LandedRead) -> str:
    shutil.copy(folder_of(read) / read.files[0].name, folder_of(read) / "000099.json.zst")
    return "000099.json.zst is not part of this read"


def exchange(read: LandedRead, other: LandedRead) -> str:
    shutil.copy(folder_of(other) / other.files[0].name, folder_of(read) / read.files[0].name)
    return f"{read.files[0].name} is "


def swap(read: LandedRead, other: LandedRead) -> str:
    first, second = (folder_of(read) / file.name for file in read.files[:2])
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    return f"{read.files[0].name} is "


def take_the_manifest_of_another(read: LandedRead, other: LandedRead) -> str:
    shutil.rmtree(folder_of(read))
    shutil.copytree(folder_of(other), folder_of(read))
    return "manifest.json belongs to another read"


def take_its_folder(read: LandedRead, other: LandedRead) -> str:
    for file in read.files:
        (folder_of(read) / file.name).unlink()
    return f"{read.files[0].name} is missing"


@pytest.mark.parametrize("change", [lose, add, exchange, swap, take_the_manifest_of_another, take_its_folder])
def test_a_body_that_is_missing_or_foreign_is_refused_by_name(
    one: LandedRead, company: Company, change: Callable[[LandedRead, LandedRead], str]
) -> None:
    source = SOURCES["meta_ads"]
    other = landing.land(source, company.connection("meta_ads"), source.stream("insights"), WINDOW, "run", MORNING)
    told = change(one, other)
    with pytest.raises(LandingError, match=told):
        load.load(landing.read_manifest(one.path))
    assert ask("select count(*) from ops.loads") == [(0,)]


def test_the_ledger_says_which_hashes_were_read(one: LandedRead) -> None:
    load.load(one)
    stored = landing.read_manifest(one.path)
    assert len(one.files) > 2
    assert ask("select body_hashes from ops.loads") == [([file.sha256 for file in stored.files],)]


def test_every_frame_has_a_checksum(one: LandedRead) -> None:
    for file in one.files:
        stored = landed_files.read_content(landing.root(), one.path, file)
        assert zstandard.get_frame_parameters(stored).has_checksum


def test_bodies_and_folders_are_on_disk_before_the_manifest_is(
    one: LandedRead, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    synced, renamed = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        happened.append(Path(f"/proc/self/fd/{descriptor}").resolve().name)
        synced(descriptor)

    def rename(source: Path, target: Path) -> None:
        happened.append(f"rename {target.name}")
        renamed(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", rename)
    source = SOURCES["google_ads"]
    read = landing.land(
        source, company.connection("google_ads"), source.stream("campaigns"), WINDOW, "new run", MORNING
    )
    attempt = read.path.split("/")
    assert happened == [
        *(file.name for file in read.files),
        *reversed(attempt),
        *("landing", settings.read().home.name),
        "manifest.json.tmp",
        "rename manifest.json",
        attempt[-1],
    ]


def as_the_release_before_wrote_it(read: LandedRead) -> None:
    folder = folder_of(read)
    stored = json.loads((folder / landing.MANIFEST).read_text())
    manifest = {name: stored[name] for name in landing.OLD_MANIFEST}
    manifest["files"] = [file["name"] for file in manifest["files"]]
    (folder / landing.MANIFEST).write_text(json.dumps(manifest, indent=1))
    for name in manifest["files"]:
        content = zstandard.decompress(encryption.decrypted((folder / name).read_bytes()))
        (folder / name).write_bytes(zstandard.ZstdCompressor(level=1, write_checksum=False).compress(content))


def test_a_read_of_the_release_before_is_loaded_with_a_warning(
    one: LandedRead, caplog: pytest.LogCaptureFixture
) -> None:
    bodies = list(one.bodies())
    as_the_release_before_wrote_it(one)
    old = landing.read_manifest(one.path)
    with caplog.at_level(logging.WARNING):
        assert load.load(old).rows_loaded > 0
    assert [record.message for record in caplog.records if "without checksums" in record.message] == [
        f"{one.path} was landed without checksums: only its lengths are compared."
    ]
    assert list(old.bodies()) == bodies
    assert ask("select body_hashes from ops.loads") == [(None,)]


@pytest.mark.parametrize("place", [0, 1, -1])
def test_a_cut_body_of_the_release_before_is_refused(one: LandedRead, place: int) -> None:
    as_the_release_before_wrote_it(one)
    path = folder_of(one) / one.files[place].name
    content = path.read_bytes()
    for length in (0, 1, 9, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(LandingError, match=path.name):
            landing.read_manifest(one.path).verify()


def test_a_damaged_read_is_not_used_again(one: LandedRead) -> None:
    def newest() -> LandedRead:
        return landing.newest_read("google_ads", "google_ads", "campaign_stats", WINDOW, "other run")

    assert newest() == one
    path = folder_of(one) / one.files[-1].name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(LandingError, match=path.name) as raised:
        newest()
    assert type(raised.value) is LandingError


def test_a_disk_that_does_not_answer_may_be_tried_again(one: LandedRead, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> bytes:
        raise OSError(5, "Input/output error")

    expected = f"{one.files[0].name} cannot be read: Input/output error"
    # The disk answers again before the fixtures are taken down.
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", fail)
        with pytest.raises(LandingUnreachable, match=expected):
            one.verify()


def test_a_replay_loads_all_but_the_damaged_and_names_it(
    landed: list[LandedRead], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    completed: list[str] = []

    class Report:
        passed = True

        def text(self) -> str:
            return ""

    monkeypatch.setattr(deliveries, "check_raw", lambda source, run: Report())
    monkeypatch.setattr(completeness, "complete", lambda source, run: completed.append(source.name))
    hurt = {read.source: read for read in landed if read.source in ("hubspot", "shopify") and read.files}
    body = folder_of(hurt["hubspot"]) / hurt["hubspot"].files[0].name
    body.write_bytes(b"")
    (folder_of(hurt["shopify"]) / landing.MANIFEST).write_text("{}")
    assert cli.main(["replay"]) == 1
    told = capsys.readouterr().err
    assert f"{hurt['hubspot'].path}/{body.name} is 0 bytes long" in told
    assert f"{hurt['shopify'].path}/manifest.json is damaged" in told
    assert ask("select count(*) from ops.loads") == [(len(landed) - 2,)]
    assert set(completed) == SOURCES.keys() - {"hubspot", "shopify"}
