"""Files: any number of sources, each described by a manifest next to its files, read as if they were vendors.

A manifest's `source` is a connection of this source. A read takes the files of an entity that are new or changed since
they were loaded, whatever its window: an export has no window. It lands the rows of the files, typed and checked, with
the bad ones separate; the files stay in the inbox.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from pkgutil import iter_modules
from typing import IO, Any

import orjson

from funnel.contract import Connection, Source, Stream, Window
from funnel.inbox.catalogue import ENTITIES
from funnel.inbox.entities import stream as stream_of

STREAMS = tuple(stream_of(entity) for entity in ENTITIES.values())
# Names that a manifest must not use: those of the connectors, the modules of this folder.
VENDORS = frozenset(module.name for module in iter_modules([str(Path(__file__).parent)]))


def fetch(connection: Connection, stream: Stream, window: Window) -> Iterator[bytes]:
    """The bodies of an entity's files; each is made while the previous one is landed."""
    from funnel.inbox.blocks import ahead

    yield from ahead(_bodies(connection, stream))


def _bodies(connection: Connection, stream: Stream) -> Iterator[bytes]:
    """The files of one entity: for each a JSON body of metadata, then bodies of rows (Arrow IPC streams).

    `connection.extra` may hold `filesystem` (fsspec's, for inboxes that need credentials) and `known`, the fingerprint
    of each file by path from its last read. Raises ManifestError for a manifest that is not valid.
    """
    from funnel.inbox import folder as inbox

    folder = inbox.open_folder(connection.base_url, connection.extra.get("filesystem"))
    manifest = _manifest(folder, connection.connection_id)
    known: dict[str, str] = connection.extra.get("known") or {}
    for info, specs in _files(folder, manifest, stream.name):
        with inbox.fetched(folder, info) as source:
            fingerprint, size = _fingerprint(source, info, specs)
            # By path only: the same content under another name has another position among the files.
            if known.get(info.path) == fingerprint:
                continue
            for stream_no, spec in enumerate(specs, start=1):
                notes = _passed_over(info.path, spec, known)
                yield from _file(source, info, spec, stream_no, fingerprint, size, notes)


def _files(folder: Any, manifest: Any, entity: str) -> Iterator[tuple[Any, list[Any]]]:
    """Each file of an entity once, the oldest first, with the streams that read it."""
    from funnel.inbox import folder as inbox
    from funnel.inbox import intake

    found: dict[str, tuple[Any, list[Any]]] = {}
    for spec in manifest.of(entity):
        for info in inbox.files_of(folder, manifest, spec):
            found.setdefault(info.path, (info, []))[1].append(spec)
    yield from sorted(
        found.values(),
        key=lambda each: intake.file_order(each[0].path, each[0].modified_at, each[1][0].newest_by),
    )


def _fingerprint(source: IO[bytes], info: Any, specs: list[Any]) -> tuple[str, int]:
    """A hash of everything that the rows of a file depend on, and the file's size: its bytes, how each stream reads
    them, and its time if that orders files.
    """
    from funnel.inbox import intake

    prints = [intake.fingerprint(source, spec) for spec in specs]
    parts = [digest for digest, _ in prints]
    parts += [str(info.modified_at) for spec in specs if spec.newest_by == "time"]
    digest = parts[0] if len(parts) == 1 else hashlib.sha256(" ".join(parts).encode()).hexdigest()[:32]
    return digest, prints[0][1]


def _passed_over(path: str, spec: Any, known: dict[str, str]) -> list[str]:
    """Warn about a file that arrives late: a file with a later name was read before."""
    from funnel.inbox import intake

    if spec.newest_by != "name":
        return []
    later = max(
        (other for other in known if other != path), key=lambda one: intake.file_order(one, None, "name"), default=""
    )
    if not later or intake.file_order(later, None, "name") < intake.file_order(path, None, "name"):
        return []
    return [
        f"arrived after {later}, whose name sorts later: its rows count where both have them; state newest_by: time if "
        "the later file is the newer one"
    ]


def _file(
    source: IO[bytes], info: Any, spec: Any, stream_no: int, fingerprint: str, size: int, notes: list[str]
) -> Iterator[bytes]:
    """One file by one stream: its metadata, then its rows."""
    from funnel.inbox import intake
    from funnel.inbox.errors import Refused

    outcome = intake.Outcome(info.path, spec.entity.name, fingerprint, size, info.modified_at)
    outcome.notes += notes
    order = intake.file_order(info.path, info.modified_at, spec.newest_by)
    try:
        with intake.take(source, spec, outcome) as taken:
            yield orjson.dumps(
                {
                    "file": {**outcome.as_json(), "stream_no": stream_no},
                    "order": order,
                    "constants": taken.constants,
                    "bad": [row.__dict__ for row in taken.bad],
                    "replace": _replacement(spec),
                }
            )
            yield from taken.tables
    except Refused:
        yield orjson.dumps({"file": {**outcome.as_json(), "stream_no": stream_no}, "order": order, "bad": []})


def _replacement(spec: Any) -> dict[str, str] | None:
    """What an export replaces, when the manifest declares it complete."""
    return None if spec.replace == "key" else {"rows": spec.replace, "time_zone": spec.timezone}


def _manifest(folder: Any, source_name: str) -> Any:
    from funnel.inbox import folder as inbox
    from funnel.inbox.errors import ManifestError

    found, wrong = inbox.find_manifests(folder, VENDORS)
    for manifest in found:
        if manifest.source == source_name:
            return manifest
    told = "".join(f"\n{error}" for error in wrong)
    raise ManifestError(f"No manifest of the inbox describes a source {source_name!r}.{told}")


def records(stream: Stream, body: bytes) -> Iterator[Any]:
    """The rows of one landed body."""
    import pyarrow as pa

    if not body.startswith(b"{"):
        with pa.ipc.open_stream(body) as rows:
            for batch in rows:
                yield from batch.to_pylist()


def connections(url: str, filesystem: Any = None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The sources whose manifests are in the inbox, and the reason for each refused manifest.

    Raises ManifestError if all are refused.
    """
    from funnel.inbox import folder as inbox
    from funnel.inbox.errors import ManifestError

    found, wrong = inbox.find_manifests(inbox.open_folder(url, filesystem), VENDORS)
    refused = tuple(str(error) for error in wrong)
    if refused and not found:
        raise ManifestError("\n".join(refused))
    return tuple(sorted(manifest.source for manifest in found)), refused


def entities(url: str, filesystem: Any = None) -> dict[str, frozenset[str]]:
    """The entities that each usable manifest of the inbox describes, by its source."""
    from funnel.inbox import folder as inbox

    found, _ = inbox.find_manifests(inbox.open_folder(url, filesystem), VENDORS)
    return {one.source: frozenset(stream.name for stream in STREAMS if any(one.of(stream.name))) for one in found}


SOURCE = Source(
    name="files",
    streams=STREAMS,
    # The content of a file does not change until it is replaced.
    restatement_days=0,
    fetch=fetch,
    records=records,
    is_inbox=True,
    owner="data",
)
