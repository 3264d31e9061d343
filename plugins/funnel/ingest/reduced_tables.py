"""Reduction of the tables of files: Arrow streams of text columns by our names."""

from typing import Any

from funnel.contract import Column
from funnel.ingest.privacy import FORGOTTEN, normalise_email
from funnel.ingest.reduction import Reduction, erase
from funnel.ingest.written_addresses import HINT, replace_addresses


def reduce_table(reduction: Reduction, body: bytes) -> bytes:
    """One Arrow stream without the forgotten persons; the same object if it names none of them."""
    import pyarrow as pa

    with pa.ipc.open_stream(body) as rows:
        schema, batches = rows.schema, list(rows)
    made = [_reduce_batch(reduction, batch) for batch in batches]
    if all(new is old for new, old in zip(made, batches, strict=True)):
        return body
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        for batch in made:
            writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


def _reduce_batch(reduction: Reduction, batch: Any) -> Any:
    import pyarrow as pa

    columns = {one.path: one for one in reduction.stream.columns if one.path in batch.schema.names}
    replaced = {
        path: _replaced(reduction, columns[path], batch.column(path)) for path in columns if _names(columns[path])
    }
    concerned = sorted({row for changes in replaced.values() for row in changes})
    texts = {}
    for path in batch.schema.names:
        is_hashed = path in columns and columns[path].type == "hashed"
        if changes := _texts(reduction, path, batch.column(path), is_hashed=is_hashed):
            texts[path] = changes
    if not concerned and not texts:
        return batch
    cells = {path: batch.column(path).to_pylist() for path in batch.schema.names}
    for path, changes in texts.items():
        for row, text in changes.items():
            cells[path][row] = text
    for path, changes in replaced.items():
        for row, value in changes.items():
            cells[path][row] = value
    for row in concerned:
        cells["row_key"][row] = reduction.row_key(cells["row_key"][row])
        for path, column in columns.items():
            address = normalise_email(cells[path][row] or "") if column.type == "email" else None
            if address and not address.startswith(FORGOTTEN):
                cells[path][row] = reduction.tombstones.spoil(address)
            elif column.erased is not None and cells[path][row] is not None:
                cells[path][row] = erase(column, cells[path][row])
    arrays = [pa.array(cells[one.name], one.type) for one in batch.schema]
    return pa.record_batch(arrays, schema=batch.schema)


def _texts(reduction: Reduction, path: str, cells: Any, *, is_hashed: bool) -> dict[int, str]:
    """The rows of a column in whose text a forgotten address is written, with the text that is left."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_string(cells.type):
        return {}
    found = pc.indices_nonzero(pc.fill_null(pc.match_substring_regex(cells, HINT), False)).to_pylist()
    texts = {row: cells[row].as_py() for row in found}
    made = {row: replace_addresses(text, reduction.tombstones) for row, text in texts.items()}
    changed = {row: text for row, text in made.items() if text != texts[row]}
    # What is stored as its hash keeps it.
    return {row: reduction.hashed(path, texts[row]) for row in changed} if is_hashed else changed


def _names(column: Column) -> bool:
    return bool(column.person) or (column.type in ("email", "hashed") and column.path != "row_key")


def _replaced(reduction: Reduction, column: Column, cells: Any) -> dict[int, str]:
    """The rows of a column that name a forgotten person, with what replaces each. Each value is hashed once."""
    values = cells.to_pylist()
    known = {value: reduction.value(column, value) for value in set(values)}
    return {row: known[value] for row, value in enumerate(values) if known[value] != value}
