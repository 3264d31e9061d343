"""Landed files are encrypted: what is on disk, wrong and old keys, files of earlier releases, killed rewritings."""

import contextlib
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from funnel import secret_store, settings
from funnel.contract import Connection, Window
from funnel.erasure import landed_reads
from funnel.ingest import encryption, landed_files, landing, load, rewriting
from funnel.ingest.errors import LandingError, Undecipherable
from funnel.ingest.landing import LandedRead
from funnel.sources import SOURCES

WINDOW = Window(date(2026, 11, 20), date(2026, 11, 23))
CHUNK = encryption.CHUNK
OLD, NEW = "an old key of more than 32 characters", "a new key of more than 32 characters"
ADDRESS = b"jane.doe@example.com"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FUNNEL_HOME", str(tmp_path))
    monkeypatch.setenv("LANDING_KEY", OLD)
    return tmp_path


def one_body(number: int, email: str = ADDRESS.decode()) -> bytes:
    return b'{"results": [{"id": "%d", "updatedAt": "2026-11-21T03:00:00Z", "properties": {"email": "%s"}}]}' % (
        number,
        email.encode(),
    )


def land(*bodies: bytes, run: str = "run") -> LandedRead:
    source = replace(SOURCES["hubspot"], fetch=lambda *_: iter(bodies))
    moment = datetime(2026, 11, 23, 3, tzinfo=UTC)
    return landing.land(source, Connection("hubspot", "http://x"), source.stream("contacts"), WINDOW, run, moment)


def plain(read: LandedRead) -> LandedRead:
    """The read as a release without encryption landed it."""
    files = []
    for file in read.files:
        path = landing.root() / read.path / file.name
        content = landed_files.read_content(landing.root(), read.path, file)
        landed_files.write_through(path, content)
        files.append(replace(file, size=len(content), sha256=landed_files.hashlib.sha256(content).hexdigest()))
    made = replace(read, files=tuple(files))
    landing.write_manifest(made)
    return made


def stored(read: LandedRead) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (landing.root() / read.path).iterdir()}


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_what_is_encrypted_is_decrypted(size: int) -> None:
    content = random.Random(size).randbytes(size)
    assert encryption.decrypted(b"".join(encryption.encrypted(content))) == content


def broken(whole: bytes) -> Iterator[bytes]:
    part = CHUNK + encryption.TAG
    chunks = [whole[start : start + part] for start in range(encryption.HEADER, len(whole), part)]
    header = whole[: encryption.HEADER]
    yield header + b"".join(chunks[:-1])
    yield header + b"".join([chunks[1], chunks[0], *chunks[2:]])
    yield header + b"".join([*chunks, chunks[-1]])
    yield header
    yield header[:-1] + bytes([header[-1] ^ 1]) + b"".join(chunks)
    yield whole[:-1]


def test_a_file_without_a_chunk_with_exchanged_ones_or_another_header_is_refused() -> None:
    whole = b"".join(encryption.encrypted(bytes(2 * CHUNK + 7)))
    for content in broken(whole):
        with pytest.raises(Undecipherable):
            encryption.decrypted(content)


def test_no_two_files_share_a_nonce_under_one_key() -> None:
    first, second = (b"".join(encryption.encrypted(b"the same")) for _ in range(2))
    assert first[encryption.HEADER :] != second[encryption.HEADER :]


def test_nothing_of_a_body_is_readable_on_disk() -> None:
    read = land(one_body(1), b"\xff\xff\xff\xff" + ADDRESS * 3)
    assert [file.name for file in read.files] == ["000001.json.zst", "000002.arrow"]
    assert all(ADDRESS not in content for content in stored(read).values())
    assert [encryption.is_encrypted(content) for name, content in sorted(stored(read).items())] == [True, True, False]
    assert list(read.bodies())[1].count(ADDRESS) == 3


def test_a_wrong_key_is_named_and_an_old_key_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    read = land(one_body(1))
    monkeypatch.setenv("LANDING_KEY", NEW)
    with pytest.raises(LandingError) as raised:
        read.verify()
    for word in (read.path, "000001.json.zst", encryption.fingerprint(OLD), "LANDING_OLD_KEYS", "LANDING_KEY"):
        assert word in str(raised.value)
    monkeypatch.setenv("LANDING_OLD_KEYS", f"something else of no use at all here, {OLD}")
    read.verify()


def test_a_short_key_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDING_KEY", "short")
    with pytest.raises(settings.ConfigurationError, match="LANDING_KEY has 5 characters"):
        land(one_body(1))
    assert list(landing.root().rglob("*.zst")) == []


def test_a_key_is_generated_once_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LANDING_KEY")
    first = secret_store.landing_keys()
    assert first == secret_store.landing_keys()
    assert len(first[0]) == 48


def test_files_of_earlier_releases_are_read_and_encrypted_by_the_command(warehouse: str) -> None:
    read = plain(land(one_body(1), one_body(2)))
    assert sum(encryption.is_encrypted(content) for content in stored(read).values()) == 0
    load.load(landing.read_manifest(read.path))
    bodies = list(read.bodies())
    assert str(landed_reads.encrypt()) == "2 files of 1 landed reads written again, of 1 reads"
    after = landing.read_manifest(read.path)
    assert list(after.bodies()) == bodies
    assert sum(encryption.is_encrypted(content) for content in stored(after).values()) == 2
    assert len(stored(after)) == 3
    assert load.load(after).is_new is False
    assert landed_reads.encrypt().rewritten == 0


def test_the_command_replaces_an_old_key(warehouse: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = land(one_body(1))
    monkeypatch.setenv("LANDING_KEY", NEW)
    monkeypatch.setenv("LANDING_OLD_KEYS", OLD)
    assert landed_reads.encrypt().rewritten == 1
    monkeypatch.delenv("LANDING_OLD_KEYS")
    assert list(landing.read_manifest(read.path).bodies()) == [one_body(1)]


class Killed(BaseException):
    pass


@pytest.mark.parametrize("moment", range(14))
def test_a_rewriting_that_is_killed_leaves_a_whole_read(moment: int, monkeypatch: pytest.MonkeyPatch) -> None:
    read = land(one_body(1), one_body(2), one_body(3))
    wanted = [one_body(1), one_body(2, "x@y.z"), one_body(3)]
    steps = iter(range(100))

    def counted(real):  # type: ignore[no-untyped-def]
        def step(*arguments, **named):  # type: ignore[no-untyped-def]
            if next(steps) == moment:
                raise Killed
            return real(*arguments, **named)

        return step

    with monkeypatch.context() as patch:
        for module, name in ((landed_files, "write"), (landing.os, "replace"), (landing, "sync_folder")):
            patch.setattr(module, name, counted(getattr(module, name)))
        # A process that is killed cleans nothing up.
        patch.setattr(rewriting, "remove_leftovers", counted(rewriting.remove_leftovers))
        with contextlib.suppress(Killed):
            rewriting.rewrite(read, lambda body: wanted[1] if b'"2"' in body else body)
    found = list(landing.read_manifest(read.path).bodies())
    assert found in ([one_body(1), one_body(2), one_body(3)], wanted)
    again = rewriting.rewrite(landing.read_manifest(read.path), lambda body: wanted[1] if b'"2"' in body else body)
    assert list(again.bodies()) == wanted
    assert sorted(stored(again)) == sorted([*(file.name for file in again.files), "manifest.json"])
