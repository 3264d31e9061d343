"""Landing: stores a vendor's responses as immutable compressed files that can be loaded again without the vendor
(ING-8).

One read is a folder `<source>/<connection>/<stream>/<from>_<to>/<run>/<attempt>/` with one file per body and a
`manifest.json` that is written last: a folder without one is an unfinished attempt and is never loaded. The files are
compressed and encrypted (`funnel.ingest.landed_files`). The manifest holds size and SHA-256 of each, and a digest over
itself. All files are flushed to disk before the manifest is written. Each body is verified before it is returned: a
file that was truncated, altered, lost or added raises an error that names it, and is never loaded.
"""

import hashlib
import json
import logging
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from funnel import secret_store, settings
from funnel.contract import AccountRead, AccountRefused, Connection, Fetched, HomeCurrency, Source, Stream, Window
from funnel.ingest import landed_files, stated_currency
from funnel.ingest.errors import LandingError, NothingLanded, damaged, remedy, unreadable
from funnel.ingest.landed_files import LandedFile, sync_folder, write_through
from funnel.rest.errors import RestartWindow

MANIFEST = "manifest.json"
UNFINISHED = f"{MANIFEST}.tmp"
# Next to the reads: from when on they are complete, if older ones were removed by their retention.
REMOVED = "removed.json"
MAX_RESTARTS = 3
# The keys of manifests of the previous release, which wrote no hashes.
OLD_MANIFEST = {
    *("source", "connection_id", "stream", "window_from", "window_to", "until_now", "run_id", "fetched_at"),
    *("files", "bytes"),
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LandedRead:
    """One complete read of one stream and window. `path` is relative to the landing folder and identifies the read.

    `size` is the length of all bodies in bytes before compression.
    """

    source: str
    connection_id: str
    stream: str
    window: Window
    run_id: str
    fetched_at: datetime
    path: str
    files: tuple[LandedFile, ...]
    size: int
    # The accounts that were read, and those that refused with the reason. None: unknown.
    accounts: tuple[str, ...] | None = None
    refused: tuple[tuple[str, str], ...] = ()
    # The currency of amounts that name none, from the vendor or the connection's setting. None: unknown.
    currency: str | None = None

    @property
    def hashes(self) -> list[str] | None:
        """SHA-256 of each file, as `bodies` verifies it; None for a read of the previous release."""
        known = [file.sha256 for file in self.files if file.sha256]
        return known if len(known) == len(self.files) else None

    @property
    def scope(self) -> tuple[str, str, str, date, date]:
        """Source, connection, stream, first day, day after the last."""
        return self.source, self.connection_id, self.stream, self.window.from_day, self.window.to_day

    def bodies(self) -> Iterator[bytes]:
        """The vendor's bodies in the order received, one at a time, each verified against the manifest.

        Raises LandingError for a file that is truncated, altered, missing or not in the manifest.
        """
        if self.hashes is None:
            log.warning("%s was landed without checksums: only its lengths are compared.", self.path)
        self._check_folder()
        left = self.size
        for file in self.files:
            body = landed_files.read(root(), self.path, file, left)
            left -= len(body)
            yield body
            # Release this body before the next one is read.
            del body
        if left:
            raise damaged(self.path, MANIFEST, f"says that the bodies have {self.size:,} bytes; {left:,} are missing")

    def verify(self) -> None:
        """Compare all files with the manifest. Raises LandingError like `bodies`."""
        for _ in self.bodies():
            pass

    def _check_folder(self) -> None:
        """Check that all files are there in full length, and no others, before any row is read. Raises LandingError."""
        try:
            with os.scandir(root() / self.path) as entries:
                found = {entry.name: entry.stat().st_size for entry in entries if not entry.name.startswith(".")}
        except OSError as error:
            raise unreadable(self.path, MANIFEST, error) from error
        for file in self.files:
            if file.name not in found:
                raise damaged(self.path, file.name, "is missing")
            size = found.pop(file.name)
            if file.size is not None and size != file.size:
                raise damaged(self.path, file.name, f"is {size:,} bytes long; {file.size:,} bytes were landed")
        # A rewriting that was killed leaves its files, or those that it replaced, beside the listed ones.
        numbers = {landed_files.number_of(file.name) for file in self.files}
        left = found.keys() - {MANIFEST, UNFINISHED}
        if extra := sorted(name for name in left if landed_files.number_of(name) not in numbers):
            raise damaged(self.path, extra[0], "is not part of this read: the manifest does not list it")


def root() -> Path:
    """The landing folder."""
    return secret_store.home() / "landing"


def safe(text: str) -> str:
    """A name that is valid as a folder's name."""
    return re.sub(r"[^A-Za-z0-9._+-]", "_", text)


def _run_folder(source: str, connection_id: str, stream: str, window: Window, run_id: str) -> str:
    days = f"{window.from_day}_{window.to_day}"
    return "/".join((source, safe(connection_id), stream, days, safe(run_id)))


def removed() -> str | None:
    """A sentence that says which reads were removed because of their age; None if none were."""
    try:
        note = json.loads((root() / REMOVED).read_text())
    except FileNotFoundError:
        return None
    return (
        f"Reads landed before {note['removed_before'][:16]} UTC were removed on {note['removed_at'][:10]} "
        "(RETENTION_LANDED_DAYS): rows that only they hold cannot be loaded again."
    )


def run_of(path: str) -> tuple[str, str]:
    """(source, run) of the read in `path`, as the folders are named: known even without a manifest."""
    source, _, _, _, run_id, _ = path.split("/")
    return source, run_id


def land(
    source: Source,
    connection: Connection,
    stream: Stream,
    window: Window,
    run_id: str,
    fetched_at: datetime | None = None,
    change: Callable[[bytes], bytes] = bytes,
) -> LandedRead:
    """Read one stream and window from the vendor into a new folder and return it complete.

    `fetched_at` (UTC; default now) orders this read among others. `change` is applied to each body before it is
    written. Vendor errors pass through; files of an unfinished attempt are removed. If the vendor requires the window
    to be started again (RestartWindow), it is, up to three times.
    """
    run_folder = _run_folder(source.name, connection.connection_id, stream.name, window, run_id)
    stated_currency.stated(source.name, connection)
    for restarts in range(MAX_RESTARTS + 1):
        moment = fetched_at or settings.now()
        path = f"{run_folder}/{_attempt(moment)}{uuid.uuid4().hex[:8]}"
        folder = root() / path
        folder.mkdir(parents=True)
        try:
            written = _write(folder, source.fetch(connection, stream, window), change)
            written["currency"] = stated_currency.settled(source.name, connection, written["currency"])
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, RestartWindow) and restarts < MAX_RESTARTS:
                continue
            raise
        landed = LandedRead(source.name, connection.connection_id, stream.name, window, run_id, moment, path, **written)
        write_manifest(landed)
        return landed
    raise AssertionError("unreachable")


def _attempt(moment: datetime) -> str:
    """The name of a read's folder that began at this moment, up to the random end."""
    return f"{moment:%Y%m%dT%H%M%S%f}-"


def _write(folder: Path, fetched: Iterator[Fetched], change: Callable[[bytes], bytes]) -> dict[str, Any]:
    """Write each body into its own file while the next one is fetched and compressed. Returns the fields of a
    LandedRead about files and accounts.
    """
    files: list[Future[LandedFile]] = []
    sizes: list[int] = []
    accounts: list[str] = []
    refused: dict[str, str] = {}
    currency = None
    # Files up to here belong to accounts that are finished, or to none.
    settled = 0
    with ThreadPoolExecutor(1) as disk:
        for one in fetched:
            if isinstance(one, AccountRefused):
                for file in files[settled:]:
                    (folder / file.result().name).unlink()
                del files[settled:], sizes[settled:]
                refused[one.account] = one.reason
            elif isinstance(one, AccountRead):
                accounts.append(one.account)
                settled = len(files)
            elif isinstance(one, HomeCurrency):
                currency = one.code
            else:
                body = change(one)
                suffix, content = landed_files.compressed(body)
                # One body at a time waits for the disk.
                if files:
                    files[-1].result()
                files.append(disk.submit(landed_files.write, folder / f"{len(files) + 1:06d}.{suffix}", content))
                sizes.append(len(body))
    return {
        "files": tuple(file.result() for file in files),
        "size": sum(sizes),
        "accounts": tuple(accounts) if accounts or refused else None,
        "refused": tuple(refused.items()),
        "currency": currency,
    }


def write_manifest(landed: LandedRead) -> None:
    """Write the manifest after everything that it names is on disk."""
    folder = root() / landed.path
    text = _manifest_text(
        {
            "source": landed.source,
            "connection_id": landed.connection_id,
            "stream": landed.stream,
            "window_from": landed.window.from_day.isoformat(),
            "window_to": landed.window.to_day.isoformat(),
            "until_now": landed.window.until_now,
            "whole": landed.window.whole,
            "run_id": landed.run_id,
            "fetched_at": landed.fetched_at.isoformat(),
            "files": [asdict(file) for file in landed.files],
            "bytes": landed.size,
            "accounts": landed.accounts,
            "refused": dict(landed.refused),
            "currency": landed.currency,
        }
    )
    for each in (folder, *folder.parents):
        sync_folder(each)
        if each == root().parent:
            break
    temporary = folder / UNFINISHED
    write_through(temporary, text)
    os.replace(temporary, folder / MANIFEST)
    sync_folder(folder)


def _manifest_text(content: dict[str, Any]) -> bytes:
    """The manifest as bytes; its digest covers all the rest."""
    digest = hashlib.sha256(json.dumps(content, indent=1).encode()).hexdigest()
    return json.dumps({**content, "digest": digest}, indent=1).encode()


def read_manifest(path: str) -> LandedRead:
    """The landed read in `path` (relative to the landing folder). Raises LandingError if it is
    incomplete or damaged.
    """
    try:
        text = (root() / path / MANIFEST).read_bytes()
    except FileNotFoundError as error:
        raise LandingError(f"{path} holds no complete read: it has no {MANIFEST}. {remedy(path)}") from error
    except OSError as error:
        raise unreadable(path, MANIFEST, error) from error
    try:
        stored = json.loads(text)
        if stored.keys() != OLD_MANIFEST:
            del stored["digest"]
            if text != _manifest_text(stored):
                raise ValueError
        landed = _landed(path, stored)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise damaged(path, MANIFEST, "is damaged or altered: it differs from what was written") from error
    ours = _run_folder(landed.source, landed.connection_id, landed.stream, landed.window, landed.run_id)
    if not path.startswith(f"{ours}/{_attempt(landed.fetched_at)}"):
        raise damaged(path, MANIFEST, f"belongs to another read, {ours} of {landed.fetched_at}")
    return landed


def _landed(path: str, stored: dict[str, Any]) -> LandedRead:
    return LandedRead(
        source=stored["source"],
        connection_id=stored["connection_id"],
        stream=stored["stream"],
        window=Window(
            date.fromisoformat(stored["window_from"]),
            date.fromisoformat(stored["window_to"]),
            stored["until_now"],
            # Reads landed before whole reads existed lack this key.
            stored.get("whole", False),
        ),
        run_id=stored["run_id"],
        fetched_at=datetime.fromisoformat(stored["fetched_at"]),
        path=path,
        files=tuple(LandedFile(file) if isinstance(file, str) else LandedFile(**file) for file in stored["files"]),
        size=stored["bytes"],
        # Reads landed before accounts were recorded lack both.
        accounts=None if stored.get("accounts") is None else tuple(stored["accounts"]),
        refused=tuple(stored.get("refused", {}).items()),
        currency=stored.get("currency"),
    )


def newest_read(source: str, connection_id: str, stream: str, window: Window, run_id: str) -> LandedRead:
    """The newest complete read that a run landed. Raises NothingLanded if there is none, LandingError if
    it is damaged.
    """
    run_folder = _run_folder(source, connection_id, stream, window, run_id)
    attempts = sorted((root() / run_folder).glob(f"*/{MANIFEST}"))
    if not attempts:
        raise NothingLanded(
            f"Run {run_id} landed nothing complete of {source}.{stream} for {window.from_day} to {window.to_day}. "
            "Clear the task `extract` of that run."
        )
    newest = read_manifest(f"{run_folder}/{attempts[-1].parent.name}")
    newest.verify()
    return newest


def reads(source: str | None = None, damaged: dict[str, LandingError] | None = None) -> Iterator[LandedRead]:
    """All complete reads, oldest first: replaying them in this order rebuilds `raw`.

    If `damaged` is given, a damaged manifest is added to it by its path; otherwise its LandingError is raised.
    """
    found = []
    for manifest in root().glob(f"{source or '*'}/*/*/*/*/*/{MANIFEST}"):
        path = str(manifest.parent.relative_to(root()))
        try:
            found.append(read_manifest(path))
        except LandingError as error:
            if damaged is None:
                raise
            damaged[path] = error
    yield from sorted(found, key=lambda read: (read.fetched_at, read.path))
