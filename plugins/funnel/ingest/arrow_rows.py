"""From landed tables to the columns of a raw table, for sources that land typed rows instead of a vendor's JSON.

Cells are not parsed again; addresses and ids of persons are hashed here, where the key is available.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from funnel.contract import Column, Stream
from funnel.ingest.json_rows import Tally
from funnel.ingest.landing import LandedRead
from funnel.ingest.privacy import email_key, id_key, keyed_hash, normalise_email
from funnel.ingest.replacement import Export
from funnel.ingest.values import ESCAPES, NULL, as_text


@dataclass(frozen=True)
class Shape:
    """The common structure of a file's rows: the raw columns that are copied, and the values that all rows share."""

    columns: tuple[str, ...]
    constants: tuple[tuple[str, str], ...]


def batches(
    stream: Stream, landed: LandedRead, bodies: Iterable[bytes], load_id: int, secret: bytes, tally: Tally
) -> Iterator[tuple[Shape, Any]]:
    """All rows as batches of text by raw column, with the shape of each batch. `tally` counts the rows."""
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())
    identity = f"{landed.source}:{landed.connection_id}"
    moment = landed.fetched_at.isoformat()
    of_read = {"_connection_id": landed.connection_id, "_load_id": str(load_id), "_fetched_at": moment}
    if any(column.name == "_first_seen_at" for column in stream.columns):
        of_read["_first_seen_at"] = moment
    of_file: dict[str, str] = {}
    for body in bodies:
        if body.startswith(b"{"):
            story = orjson.loads(body)
            of_file = {"_file_order": story["order"], **story.get("constants", {})}
            file = story["file"] | {"file_order": story["order"], "columns": []}
            tally.files.append(file)
            _note_bad(story["bad"], story["file"]["path"], secret, tally)
            if story.get("replace"):
                tally.exports.append(_export(file, story, stream, secret, identity))
            continue
        with pa.ipc.open_stream(body) as rows:
            for batch in rows:
                constants = dict(of_read)
                made: dict[str, Any] = {}
                for column in stream.columns:
                    if column.type in ("email", "hashed") and column.path in of_file:
                        repeated = pa.repeat(pa.scalar(of_file[column.path], pa.string()), batch.num_rows)
                        made |= _raw_columns(pa, column, repeated, secret, identity)
                    elif column.path in of_file:
                        constants[column.name] = of_file[column.path]
                    elif column.path in batch.schema.names:
                        made |= _raw_columns(pa, column, batch.column(column.path), secret, identity)
                if stream.person:
                    keys = batch.column("row_key").to_pylist()
                    hashes = [id_key(secret, f"{identity}:{stream.name}", key) for key in keys]
                    made["_record_key"] = pa.array(hashes, pa.string())
                tally.readable += batch.num_rows
                tally.columns.update(made, constants)
                file["columns"] = sorted({*file["columns"], *made, *constants})
                rows_made = pa.record_batch(list(made.values()), names=list(made))
                yield Shape(tuple(made), tuple(constants.items())), rows_made


def _raw_columns(pa: Any, column: Column, cells: Any, secret: bytes, identity: str) -> dict[str, Any]:
    if column.type == "email":
        coded = cells.dictionary_encode()
        addresses = [normalise_email(text) for text in coded.dictionary.to_pylist()]
        keys = [None if address is None else email_key(secret, address) for address in addresses]
        domains = [None if address is None else address.rpartition("@")[2] for address in addresses]
        made = [pa.array(keys, pa.string()).take(coded.indices), pa.array(domains, pa.string()).take(coded.indices)]
    elif column.type == "hashed":
        coded = cells.dictionary_encode()
        hashes = [id_key(secret, f"{identity}:{column.path}", text) for text in coded.dictionary.to_pylist()]
        made = [pa.array(hashes, pa.string()).take(coded.indices)]
    else:
        made = [cells]
    return {name: values for (name, _), values in zip(column.raw_columns, made, strict=True)}


def _export(file: dict[str, Any], story: dict[str, Any], stream: Stream, secret: bytes, identity: str) -> Export:
    keys = [row.get("key") for row in story["bad"]]
    kept = None if None in keys else keys
    if kept and next(column for column in stream.columns if column.name == "row_key").type == "hashed":
        kept = [id_key(secret, f"{identity}:row_key", key) for key in kept]
    return Export(file, story["order"], story["replace"]["rows"], story["replace"]["time_zone"], kept)


def _note_bad(bad: list[dict[str, Any]], path: str, secret: bytes, tally: Tally) -> None:
    """One line of COPY text for each bad row: hashes, column, reason, file, line and content."""
    for row in bad:
        tally.quarantined += 1
        payload = as_text({"file": path, "line": row["line"], "row": row["payload"]}, set())
        place = f"{path}:{row['line']}"
        fields = (
            keyed_hash(secret, place),
            keyed_hash(secret, payload),
            NULL if row["column"] is None else row["column"],
            row["reason"],
            payload,
            path,
            str(row["line"]),
        )
        tally.unreadable.write("\t".join(text if text == NULL else text.translate(ESCAPES) for text in fields) + "\n")
