"""Files whose cells have types: Parquet and JSON lines, as the same blocks of text that separated values give.

A number that was a number carries a mark, so that nobody asks it which sign its decimals have; what was typed as text
in a spreadsheet is read like any other text.
"""

from collections.abc import Iterator
from datetime import date, datetime
from datetime import time as time_of_day
from decimal import Decimal
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc

from funnel.inbox.blocks import TYPED, BadRow, Block, Refused
from funnel.inbox.headers import clean_headers
from funnel.inbox.layout import Layout, opened
from funnel.inbox.manifest import StreamSpec

ROWS = 10_000
JSON_HEADERS_WITHIN = 2_000


def cell_text(value: Any) -> str | None:
    """A typed cell as text; numbers with their mark."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return (format(Decimal(repr(value)), "f").removesuffix(".0") if value == value else "NaN") + TYPED
    if isinstance(value, (int, Decimal)):
        return f"{value}{TYPED}"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (date, time_of_day)):
        return value.isoformat()
    return str(value)


def _block(headers: tuple[str, ...], rows: list[list[Any]], numbers: list[int], only: set[str] | None) -> Block:
    columns = {
        name: pa.array([cell_text(row[place]) if place < len(row) else None for row in rows], pa.string())
        for place, name in enumerate(headers)
        if (only is None or name in only) and headers.index(name) == place
    }
    return Block(columns, pa.array(numbers, pa.int64()), [])


# Parquet ------------------------------------------------------------------------------------------------------------


def parquet(source: IO[bytes], path: str, spec: StreamSpec) -> Layout:
    """A Parquet file; lines are counted from its first row."""
    import pyarrow.parquet as pq

    with opened(source, path) as file:
        try:
            names = pq.ParquetFile(file).schema_arrow.names
        except pa.ArrowException as error:
            raise Refused(f"this is no Parquet file that can be read ({' '.join(str(error).split())[:100]})") from None
    headers = clean_headers(names)
    originals = dict(zip(headers, names, strict=True))

    def read(file: IO[bytes], only: set[str] | None) -> Iterator[Block]:
        chosen = {name: theirs for name, theirs in originals.items() if only is None or name in only}
        number = 1
        for batch in pq.ParquetFile(file).iter_batches(batch_size=ROWS, columns=list(chosen.values())):
            columns = {name: _column_text(batch.column(theirs)) for name, theirs in chosen.items()}
            lines = pa.array(range(number, number + batch.num_rows), pa.int64())
            number += batch.num_rows
            yield Block(columns, lines, [])

    return Layout(headers, read, {"format": "parquet"}, has_types=True)


def _column_text(column: Any) -> Any:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _column_text(column.dictionary_decode())
    if pa.types.is_string(kind):
        return column
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return pc.binary_join_element_wise(pc.cast(column, pa.string()), TYPED, "")
    if pa.types.is_large_string(kind) or pa.types.is_date(kind) or pa.types.is_boolean(kind):
        return pc.cast(column, pa.string())
    return pa.array([cell_text(value) for value in column.to_pylist()], pa.string())


# JSON lines ---------------------------------------------------------------------------------------------------------


def json_lines(source: IO[bytes], path: str, spec: StreamSpec) -> Layout:
    """One JSON object a line; fields of objects within are named with a dot."""
    import orjson

    headers: dict[str, None] = {}
    with opened(source, path) as file:
        for number, line in enumerate(file, start=1):
            if number > JSON_HEADERS_WITHIN:
                break
            try:
                found = orjson.loads(line.removeprefix(b"\xef\xbb\xbf"))
            except orjson.JSONDecodeError:
                continue
            if isinstance(found, dict):
                headers |= dict.fromkeys(_flat(found))
    # A field that comes only in later rows is one all the same.
    headers |= dict.fromkeys(sorted(spec.headers)) if headers else {}
    if not headers:
        raise Refused("no line is a JSON object")
    names = tuple(headers)

    def read(file: IO[bytes], only: set[str] | None) -> Iterator[Block]:
        rows: list[list[Any]] = []
        numbers: list[int] = []
        bad: list[BadRow] = []
        for number, line in enumerate(file, start=1):
            text = line.removeprefix(b"\xef\xbb\xbf").strip()
            if not text:
                continue
            try:
                found = orjson.loads(text)
            except orjson.JSONDecodeError:
                bad.append(BadRow(number, None, "is no JSON", text.decode(errors="replace")))
                continue
            if not isinstance(found, dict):
                bad.append(BadRow(number, None, "is no JSON object", text.decode(errors="replace")))
                continue
            flat = _flat(found)
            rows.append([flat.get(name) for name in names])
            numbers.append(number)
            if len(rows) == ROWS:
                block = _block(names, rows, numbers, only)
                yield Block(block.columns, block.lines, bad)
                rows, numbers, bad = [], [], []
        if rows or bad:
            block = _block(names, rows, numbers, only)
            yield Block(block.columns, block.lines, bad)

    return Layout(names, read, {"format": "jsonl"}, has_types=True)


def _flat(found: dict[str, Any], before: str = "") -> dict[str, Any]:
    import orjson

    flat: dict[str, Any] = {}
    for name, value in found.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{before}{name}.")
        else:
            flat[before + name] = orjson.dumps(value).decode() if isinstance(value, list) else value
    return flat
