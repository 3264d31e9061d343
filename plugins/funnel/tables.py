"""From landed tables to PostgreSQL's COPY in CSV format: for sources that land typed rows rather than a vendor's JSON.

Nothing is read or judged again; addresses and ids of persons become their hashes here, where the key is.
"""

import io
from collections.abc import Iterator
from typing import Any

import orjson

from funnel.contract import Column, Stream
from funnel.landing import LandedRead
from funnel.privacy import keyed_hash, normalise_email
from funnel.rows import ESCAPES, NULL, Tally


def constants(stream: Stream, landed: LandedRead, load_id: int) -> dict[str, str | None]:
    """Columns of the raw table that say the same in every row of a read."""
    moment = landed.fetched_at.isoformat()
    first_seen = {"_first_seen_at": moment} if any(one.name == "_first_seen_at" for one in stream.columns) else {}
    return {
        "_extra": None,
        "_connection_id": landed.connection_id,
        "_load_id": str(load_id),
        "_fetched_at": moment,
        **first_seen,
    }


def lines(stream: Stream, landed: LandedRead, secret: bytes, tally: Tally) -> Iterator[bytes]:
    """CSV of all rows in the order of the raw table's other columns; an unquoted empty cell is null. `tally` counts."""
    import pyarrow as pa
    import pyarrow.csv as arrow_csv

    options = arrow_csv.WriteOptions(include_header=False, quoting_style="needed")
    identity = f"{landed.source}:{landed.connection_id}"
    columns = [column for column in stream.columns if column.name != "_first_seen_at"]
    order = ""
    for body in landed.bodies():
        if body.startswith(b"{"):
            story = orjson.loads(body)
            order = story["order"]
            tally.files.append(story["file"])
            _note_bad(story["bad"], story["file"]["path"], secret, tally)
            continue
        with pa.ipc.open_stream(body) as rows:
            for batch in rows:
                made = [one for column in columns for one in _raw_columns(pa, column, batch, secret, identity, order)]
                if stream.person:
                    keys = batch.column("row_key").to_pylist()
                    hashes = [keyed_hash(secret, f"{identity}:{stream.name}:{key}") for key in keys]
                    made.append(pa.array(hashes, pa.string()))
                sink = io.BytesIO()
                names = [str(place) for place in range(len(made))]
                arrow_csv.write_csv(pa.record_batch(made, names=names), sink, options)
                tally.readable += batch.num_rows
                yield sink.getvalue()


def _raw_columns(pa: Any, column: Column, batch: Any, secret: bytes, identity: str, order: str) -> Iterator[Any]:
    if column.name == "_file_order":
        yield pa.repeat(order, batch.num_rows)
    elif column.path not in batch.schema.names:
        # Not in this file at all.
        yield from (pa.nulls(batch.num_rows, pa.string()) for _ in column.raw_columns)
    elif column.type == "email":
        coded = batch.column(column.path).dictionary_encode()
        addresses = [normalise_email(text) for text in coded.dictionary.to_pylist()]
        keys = [None if address is None else keyed_hash(secret, address) for address in addresses]
        domains = [None if address is None else address.rpartition("@")[2] for address in addresses]
        yield pa.array(keys, pa.string()).take(coded.indices)
        yield pa.array(domains, pa.string()).take(coded.indices)
    elif column.type == "hashed":
        coded = batch.column(column.path).dictionary_encode()
        hashes = [keyed_hash(secret, f"{identity}:{column.path}:{text}") for text in coded.dictionary.to_pylist()]
        yield pa.array(hashes, pa.string()).take(coded.indices)
    else:
        yield batch.column(column.path)


def _note_bad(bad: list[dict[str, Any]], path: str, secret: bytes, tally: Tally) -> None:
    """One line of COPY text for each bad row: hashes, column, reason, file, line and what the row says."""
    for row in bad:
        tally.quarantined += 1
        payload = orjson.dumps({"file": path, "line": row["line"], "row": row["payload"]}).decode()
        place = f"{path}:{row['line']}"
        fields = (
            keyed_hash(secret, place),
            keyed_hash(secret, payload),
            NULL if row["column"] is None else row["column"],
            row["reason"],
            payload.replace("\\u0000", ""),
            path,
            str(row["line"]),
        )
        tally.unreadable.write("\t".join(text if text == NULL else text.translate(ESCAPES) for text in fields) + "\n")
