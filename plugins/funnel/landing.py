"""Landing: what a vendor answered, kept as immutable compressed files that can be loaded again without the vendor.

One read is a folder `<source>/<connection>/<stream>/<from>_<to>/<run>/<attempt>/` with one file per body and a
`manifest.json` that is written last: a folder without one is an attempt that did not finish and is never loaded.
Bodies are kept as zstd, `000001.json.zst`; tables of Arrow, which are compressed inside, as they are, `000001.arrow`.
Landing neither parses nor judges the bodies.
"""

import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import zstandard

from funnel import config
from funnel.contract import Connection, Source, Stream, Window
from funnel.rest import RestartWindow

MANIFEST = "manifest.json"
MAX_RESTARTS = 3
# A stream of Arrow's messages begins with it, and no text does.
ARROW = b"\xff\xff\xff\xff"


class LandingError(Exception):
    """A landed read cannot be found or read. The message says which and what to do."""


@dataclass(frozen=True)
class LandedRead:
    """One complete read of one stream and window. `path` is relative to the landing folder and identifies the read."""

    source: str
    connection_id: str
    stream: str
    window: Window
    run_id: str
    fetched_at: datetime
    path: str
    files: tuple[str, ...]
    size: int

    def bodies(self) -> Iterator[bytes]:
        """The vendor's bodies in the order received, one at a time."""
        folder = root() / self.path
        for name in self.files:
            try:
                with open(folder / name, "rb") as file:
                    is_packed = name.endswith(".zst")
                    body = zstandard.ZstdDecompressor().stream_reader(file).read() if is_packed else file.read()
            except (OSError, zstandard.ZstdError) as error:
                raise LandingError(
                    f"Landed file {self.path}/{name} cannot be read: {error}. Ingest {self.source} again for "
                    f"{self.window.from_day} to {self.window.to_day}; what is loaded stays as it is."
                ) from error
            yield body


def root() -> Path:
    """The landing folder."""
    return config.settings().home / "landing"


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+-]", "_", text)


def _run_folder(source: str, connection_id: str, stream: str, window: Window, run_id: str) -> str:
    days = f"{window.from_day}_{window.to_day}"
    return "/".join((source, _safe(connection_id), stream, days, _safe(run_id)))


def land(
    source: Source,
    connection: Connection,
    stream: Stream,
    window: Window,
    run_id: str,
    fetched_at: datetime | None = None,
) -> LandedRead:
    """Read one stream and window from the vendor into a new folder and return it complete.

    `fetched_at` (UTC; default now) orders this read among others. Vendor errors pass through; what was written of an
    unfinished attempt is removed. A vendor that asks to start the window again is obeyed three times.
    """
    run_folder = _run_folder(source.name, connection.connection_id, stream.name, window, run_id)
    for restarts in range(MAX_RESTARTS + 1):
        moment = fetched_at or config.now()
        path = f"{run_folder}/{moment:%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:8]}"
        folder = root() / path
        folder.mkdir(parents=True)
        try:
            files, size = _write(folder, source.fetch(connection, stream, window))
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, RestartWindow) and restarts < MAX_RESTARTS:
                continue
            raise
        landed = LandedRead(
            source.name, connection.connection_id, stream.name, window, run_id, moment, path, files, size
        )
        _write_manifest(landed)
        return landed
    raise AssertionError("unreachable")


def _write(folder: Path, bodies: Iterator[bytes]) -> tuple[tuple[str, ...], int]:
    compressor = zstandard.ZstdCompressor(level=1)
    files: list[str] = []
    size = 0
    for body in bodies:
        is_table = body.startswith(ARROW)
        name = f"{len(files) + 1:06d}.{'arrow' if is_table else 'json.zst'}"
        with open(folder / name, "wb") as file:
            file.write(body if is_table else compressor.compress(body))
        files.append(name)
        size += len(body)
    return tuple(files), size


def _write_manifest(landed: LandedRead) -> None:
    folder = root() / landed.path
    text = json.dumps(
        {
            "source": landed.source,
            "connection_id": landed.connection_id,
            "stream": landed.stream,
            "window_from": landed.window.from_day.isoformat(),
            "window_to": landed.window.to_day.isoformat(),
            "until_now": landed.window.until_now,
            "run_id": landed.run_id,
            "fetched_at": landed.fetched_at.isoformat(),
            "files": landed.files,
            "bytes": landed.size,
        },
        indent=1,
    )
    temporary = folder / f"{MANIFEST}.tmp"
    with open(temporary, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, folder / MANIFEST)


def read_manifest(path: str) -> LandedRead:
    """The landed read in `path` (relative to the landing folder). Raises LandingError when it is not complete."""
    try:
        stored = json.loads((root() / path / MANIFEST).read_text())
    except OSError as error:
        raise LandingError(f"{path} holds no complete read ({error.strerror}). Ingest that window again.") from error
    return LandedRead(
        source=stored["source"],
        connection_id=stored["connection_id"],
        stream=stored["stream"],
        window=Window(
            date.fromisoformat(stored["window_from"]), date.fromisoformat(stored["window_to"]), stored["until_now"]
        ),
        run_id=stored["run_id"],
        fetched_at=datetime.fromisoformat(stored["fetched_at"]),
        path=path,
        files=tuple(stored["files"]),
        size=stored["bytes"],
    )


def newest_read(source: str, connection_id: str, stream: str, window: Window, run_id: str) -> LandedRead:
    """The newest complete read that a run landed. Raises LandingError when the run landed none."""
    run_folder = _run_folder(source, connection_id, stream, window, run_id)
    attempts = sorted((root() / run_folder).glob(f"*/{MANIFEST}"))
    if not attempts:
        raise LandingError(
            f"Run {run_id} landed nothing complete of {source}.{stream} for {window.from_day} to {window.to_day}. "
            "Clear the task `extract` of that run."
        )
    return read_manifest(f"{run_folder}/{attempts[-1].parent.name}")


def reads(source: str | None = None) -> Iterator[LandedRead]:
    """All complete reads, oldest first: replaying them in this order rebuilds `raw`."""
    manifests = root().glob(f"{source or '*'}/*/*/*/*/*/{MANIFEST}")
    yield from sorted(
        (read_manifest(str(manifest.parent.relative_to(root()))) for manifest in manifests),
        key=lambda read: (read.fetched_at, read.path),
    )
