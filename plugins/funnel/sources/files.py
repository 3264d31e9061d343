"""File drops: any number of sources, each described by a manifest beside its files, read as if they were vendors.

A manifest's `source` is a connection of this source. A read takes the files of an entity that are new or changed since
they were loaded, whatever days it is asked for: an export does not know days. What it lands is not the file but its
rows, typed and judged, with the bad ones beside them; the files stay in the inbox.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from funnel.contract import Connection, Source, Stream, Window
from funnel.inbox.entities import ENTITIES
from funnel.inbox.entities import stream as stream_of

STREAMS = tuple(stream_of(entity) for entity in ENTITIES.values())
VENDORS = frozenset(
    {
        *(
            "files",
            "google_ads",
            "meta_ads",
            "linkedin_ads",
            "microsoft_ads",
            "ga4",
            "hubspot",
            "salesforce",
            "shopify",
        ),
        "exchange_rates",
    }
)


def fetch(connection: Connection, stream: Stream, window: Window) -> Iterator[bytes]:
    """The bodies of an entity's files, each made while the one before is landed."""
    from funnel.inbox.blocks import ahead

    yield from ahead(_bodies(connection, stream))


def _bodies(connection: Connection, stream: Stream) -> Iterator[bytes]:
    """The files of one entity: for each a JSON body that tells its story, then bodies of rows (Arrow IPC streams).

    `connection.extra` may hold `filesystem` (fsspec's, for inboxes that need credentials) and `known`, the fingerprint
    of each file by path as it was loaded last. Raises ManifestError for a manifest that cannot be used.
    """
    from funnel.inbox import folder as inbox
    from funnel.inbox import intake
    from funnel.inbox.blocks import Refused

    folder = inbox.open_folder(connection.base_url, connection.extra.get("filesystem"))
    manifest = _manifest(folder, connection.connection_id)
    known: dict[str, str] = dict(connection.extra.get("known") or {})
    for spec in manifest.of(stream.name):
        for info in inbox.files_of(folder, manifest, spec):
            with inbox.fetched(folder, info) as source:
                fingerprint, size = intake.fingerprint(source, spec)
                if known.get(info.path, fingerprint) == fingerprint and fingerprint in known.values():
                    known[info.path] = fingerprint
                    continue
                known[info.path] = fingerprint
                outcome = intake.Outcome(info.path, stream.name, fingerprint, size, info.modified_at)
                order = intake.file_order(info.path, info.modified_at, spec.newest_by)
                try:
                    with intake.take(source, spec, outcome) as taken:
                        yield orjson.dumps(
                            {
                                "file": outcome.as_json(),
                                "order": order,
                                "constants": taken.constants,
                                "bad": [row.__dict__ for row in taken.bad],
                            }
                        )
                        yield from taken.tables
                except Refused:
                    yield orjson.dumps({"file": outcome.as_json(), "order": order, "bad": []})


def _manifest(folder: Any, source_name: str) -> Any:
    from funnel.inbox import folder as inbox
    from funnel.inbox.manifest import ManifestError

    found, wrong = inbox.find_manifests(folder, VENDORS)
    for manifest in found:
        if manifest.source == source_name:
            return manifest
    told = "".join(f"\n{error}" for error in wrong)
    raise ManifestError(f"No manifest of the inbox describes a source {source_name!r}.{told}")


def records(stream: Stream, body: bytes) -> Iterator[dict[str, Any]]:
    """The rows of one landed body."""
    import pyarrow as pa

    if not body.startswith(b"{"):
        with pa.ipc.open_stream(body) as rows:
            for batch in rows:
                yield from batch.to_pylist()


def connections(url: str, filesystem: Any = None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The sources whose manifests lie in the inbox, and why each manifest that cannot be used is refused.

    Raises ManifestError when there are only such.
    """
    from funnel.inbox import folder as inbox
    from funnel.inbox.manifest import ManifestError

    found, wrong = inbox.find_manifests(inbox.open_folder(url, filesystem), VENDORS)
    refused = tuple(str(error) for error in wrong)
    if refused and not found:
        raise ManifestError("\n".join(refused))
    return tuple(sorted(manifest.source for manifest in found)), refused


SOURCE = Source(
    name="files",
    streams=STREAMS,
    # A file says what it says until it is replaced.
    restatement_days=0,
    fetch=fetch,
    records=records,
    is_inbox=True,
    owner="data",
)
