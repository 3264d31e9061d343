"""From columns of text to PostgreSQL's COPY: binary if every cell fits its column's type exactly, otherwise CSV
(FIL-6).

The encoder uses the type of the Arrow column, not of the table: integers sent to a `numeric` column load as 0 without
an error. So each column is first cast to the type of its table. Values that cannot be cast exactly, such as numbers of
about 38 digits, are sent as text, which PostgreSQL parses. Both ways store the same rows.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any, Literal

import psycopg
from psycopg import sql

Form = Literal["format binary", "format csv"]
BINARY: Form = "format binary"
CSV: Form = "format csv"
HEADER = b"PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"
TRAILER = b"\xff\xff"
# Digits behind the point that are tried in turn. A cast fails at the first cell that needs more, so tries are cheap.
_SCALES = (0, 2, 4, 6, 9, 18)


def copy(
    connection: psycopg.Connection[Any],
    table: sql.Identifier,
    columns: tuple[str, ...],
    form: Form,
    blocks: Iterable[bytes],
) -> int:
    """Copy encoded rows into a table; returns how many PostgreSQL took."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("copy {} ({}) from stdin with ({})").format(table, names, sql.SQL(form))
    with connection.cursor() as cursor:
        with cursor.copy(statement) as into:
            if form == BINARY:
                into.write(HEADER)
            for rows in blocks:
                into.write(rows)
            if form == BINARY:
                into.write(TRAILER)
        return cursor.rowcount


def encode(batch: Any, types: dict[str, str]) -> tuple[Form, bytes]:
    """(format of COPY, the rows in it without header and trailer) of a batch of text; `types` are PostgreSQL's."""
    typed = _typed(batch, types)
    return (CSV, as_csv(batch)) if typed is None else (BINARY, _as_binary(typed))


def _typed(batch: Any, types: dict[str, str]) -> Any:
    import pyarrow as pa

    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        typed = _cast(column, types[name])
        if typed is None:
            return None
        columns.append(typed)
    return pa.record_batch(columns, names=batch.schema.names)


def _as_binary(batch: Any) -> bytes:
    from pgpq import ArrowToPostgresBinaryEncoder

    # One encoder for each batch: it keeps rows back until it is finished.
    encoder = ArrowToPostgresBinaryEncoder(batch.schema)
    encoder.write_header()
    rows = encoder.write_batch(batch)
    return bytes(rows) + bytes(encoder.finish())[: -len(TRAILER)]


def as_csv(batch: Any) -> bytes:
    """Lines of CSV; an unquoted empty cell is null."""
    import pyarrow as pa
    import pyarrow.csv as arrow_csv

    sink = pa.BufferOutputStream()
    arrow_csv.write_csv(batch, sink, arrow_csv.WriteOptions(include_header=False, quoting_style="needed"))
    return bytes(sink.getvalue().to_pybytes())


def _cast(column: Any, kind: str) -> Any:
    """The column in the Arrow type that is encoded as `kind`; None where a cell does not fit or no type does."""
    import pyarrow as pa

    cast = partial(_cast_exactly, column)
    if kind == "text":
        return column
    if kind == "numeric":
        # A cast does not notice digits beyond the 38 that fit.
        most = _most_digits(column)
        scales = [scale for scale in _SCALES if scale + most <= 38]
        return next((typed for scale in scales if (typed := cast(pa.decimal128(38, scale))) is not None), None)
    types = {"bigint": pa.int64(), "date": pa.date32(), "timestamptz": pa.timestamp("us", "UTC")}
    return cast(types[kind]) if kind in types else None


def _most_digits(column: Any) -> int:
    """At most so many digits has any number of the column; more than fit where there is an exponent or a word."""
    import numpy as np

    _, offsets, data = column.buffers()
    places = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    if not len(column) or places[-1] == places[0]:
        return 0
    signs = np.frombuffer(data, np.uint8)[places[0] : places[-1]]
    return 39 if signs.max() > ord("9") else int((places[1:] - places[:-1]).max())


def _cast_exactly(column: Any, wanted: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return pc.cast(column, wanted)
    except pa.ArrowInvalid:
        return None
