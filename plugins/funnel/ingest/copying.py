"""Copies landed rows into PostgreSQL with COPY: records as lines of text; columns of files in binary if every cell fits
its column's type exactly, otherwise as CSV (FIL-6).

The encoder uses the type of the Arrow column, not of the table: integers sent to a `numeric` column load as 0 without
an error. So each column is first cast to the type of its table. Values that cannot be cast exactly, such as numbers of
about 38 digits, are sent as text, which PostgreSQL parses. Both ways store the same rows.
"""

import itertools
import logging
from collections.abc import Iterable
from functools import partial
from typing import Any, Literal

import psycopg
from psycopg import sql

from funnel.inbox.blocks import ahead
from funnel.ingest import arrow_rows, json_rows, replacement
from funnel.ingest.errors import LandingError, LoadError
from funnel.ingest.raw_tables import SYSTEM_COLUMNS, Loading
from funnel.rest.errors import BodyError

log = logging.getLogger(__name__)

Form = Literal["format binary", "format csv"]
BINARY: Form = "format binary"
CSV: Form = "format csv"
HEADER = b"PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"
TRAILER = b"\xff\xff"
# Numbers of decimals that are tried in turn. A cast fails at the first cell that needs more, so a try is cheap.
_SCALES = (0, 2, 4, 6, 9, 18)


def _copy_tables(loading: Loading, table: sql.Identifier, tally: json_rows.Tally) -> None:
    """Copy the tables of an inbox. A value that all rows of a file share becomes a column default and is not copied."""
    connection, stream, landed = loading.connection, loading.stream, loading.landed
    defaults: dict[str, str] = {}

    def make_default(wanted: dict[str, str]) -> None:
        changes = [
            sql.SQL("alter column {} set default {}").format(sql.Identifier(column), sql.Literal(value))
            for column, value in wanted.items()
            if defaults.get(column) != value
        ]
        changes += [
            sql.SQL("alter column {} drop default").format(sql.Identifier(column))
            for column in defaults.keys() - wanted.keys()
        ]
        if changes:
            connection.execute(sql.SQL("alter table {} ").format(table) + sql.SQL(", ").join(changes))
        defaults.clear()
        defaults.update(wanted)

    types = dict((*json_rows.raw_columns(stream), *SYSTEM_COLUMNS))
    copied = 0
    bodies = map(loading.reduce, landed.bodies())
    read = arrow_rows.batches(stream, landed, bodies, loading.load_id, loading.secret, tally)
    written = ahead((shape, *encode(batch, types)) for shape, batch in read)
    for (shape, form), blocks in itertools.groupby(written, key=lambda block: block[:2]):
        make_default(dict(shape.constants))
        copied += copy_encoded(connection, table, shape.columns, form, (data for _, _, data in blocks))
    if copied != tally.readable:
        raise LoadError(
            f"PostgreSQL took {copied} of {tally.readable} rows of {landed.path}; nothing of it was loaded."
        )
    make_default({})
    replacement.find_days(connection, stream, table, tally.exports)


def copy_read(loading: Loading, table: sql.Identifier, most: int | None = None) -> json_rows.Tally:
    """Copy a read, or its first bodies, into a table. Raises LandingError for a body or value that cannot be read."""
    landed = loading.landed
    if loading.is_of_files:
        tally = json_rows.Tally()
        _copy_tables(loading, table, tally)
        return tally
    try:
        try:
            with loading.connection.transaction():
                return _copy_bodies(loading, table, most, carefully=False)
        except psycopg.DataError as error:
            # For instance numbers of a million digits: rare, so the fast way does not check for them.
            log.warning("%s: %s; read again value by value", landed.path, _refusal(error))
            with loading.connection.transaction():
                return _copy_bodies(loading, table, most, carefully=True)
    except BodyError as error:
        days = f"{landed.window.from_day} to {landed.window.to_day}"
        raise LandingError(
            f"Landed file {landed.path}/{landed.files[error.number].name} cannot be read: {error.reason}. Nothing of "
            f"this read is loaded. Ingest {landed.source} again for {days}; if the vendor answers the same again, it "
            "changed its form and the connector must learn it."
        ) from error
    except psycopg.DataError as error:
        raise LandingError(
            f"{landed.path}: {_refusal(error)}. Nothing of this read is loaded. Report this message: "
            "such a value must go to quarantine."
        ) from None


def _refusal(error: psycopg.DataError) -> str:
    """The row that PostgreSQL refuses and why, without the value, which may be personal."""
    place = (error.diag.context or "unknown place").partition(":")[0]
    return f"PostgreSQL refuses a value ({type(error).__name__}, {place})"


def _copy_bodies(loading: Loading, table: sql.Identifier, most: int | None, *, carefully: bool) -> json_rows.Tally:
    source, stream, landed = loading.source, loading.stream, loading.landed
    tally = json_rows.Tally()
    tail = f"\t{landed.connection_id}\t{loading.load_id}\t{landed.fetched_at.isoformat()}\n"
    statement = sql.SQL("copy {} ({}) from stdin").format(table, loading.target.names(loading.target.columns))
    with loading.connection.cursor() as cursor, cursor.copy(statement) as copy:
        bodies = map(loading.reduce, itertools.islice(landed.bodies(), most))
        made = json_rows.lines(
            source,
            stream,
            landed.connection_id,
            landed.window,
            bodies,
            loading.secret,
            tail,
            tally,
            carefully=carefully,
        )
        # PostgreSQL processes lines while the next ones are made.
        for text in ahead(made):
            copy.write(text)
    return tally


def copy_encoded(
    connection: psycopg.Connection[Any],
    table: sql.Identifier,
    columns: tuple[str, ...],
    form: Form,
    blocks: Iterable[bytes],
) -> int:
    """Copy encoded rows into a table; returns the number of rows that PostgreSQL accepted."""
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

    # One encoder for each batch: it holds rows back until it is finished.
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
        # A cast does not detect digits beyond the 38 that fit.
        most = _most_digits(column)
        scales = [scale for scale in _SCALES if scale + most <= 38]
        return next((typed for scale in scales if (typed := cast(pa.decimal128(38, scale))) is not None), None)
    types = {"bigint": pa.int64(), "date": pa.date32(), "timestamptz": pa.timestamp("us", "UTC")}
    return cast(types[kind]) if kind in types else None


def _most_digits(column: Any) -> int:
    """An upper bound of the digits of any number of the column; more than fit if there is an exponent or a word."""
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
