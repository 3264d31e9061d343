"""Files with typed cells: Parquet and JSON, read to the same blocks of text as separated values.

A numeric cell carries a mark, so that its decimal sign is not inferred; text in a spreadsheet is read like any other
text. Numbers keep all their digits.
"""

import json
import re
from collections.abc import Iterator
from datetime import date, datetime
from datetime import time as time_of_day
from decimal import Decimal
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc

from funnel.inbox import bounds, headers, json_documents
from funnel.inbox.blocks import TYPED, BadRow, Block
from funnel.inbox.errors import Refused
from funnel.inbox.layout import Layout, opened, seekable
from funnel.inbox.manifest import StreamSpec
from funnel.inbox.number_formats import Money

ROWS = 10_000
CELLS_OF_A_BLOCK = 200_000
JSON_HEADERS_WITHIN = 2_000
JSON_START = 256 << 10


class Number(str):
    """A number as written, for numbers that a float cannot represent."""


def cell_text(value: Any) -> str | None:
    """A typed cell as text; numbers with their mark, and before it the currency that the cell shows."""
    if isinstance(value, Number):
        return value + TYPED
    if isinstance(value, Money):
        return f"{str(cell_text(value.amount)).removesuffix(TYPED)} {value.mark}{TYPED}"
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return (format(Decimal(repr(value)), "f").removesuffix(".0") if value == value else "NaN") + TYPED
    if isinstance(value, (int, Decimal)):
        return f"{value}{TYPED}"
    if isinstance(value, (datetime, date, time_of_day)):
        return value.isoformat()
    return str(value)


# Parquet ------------------------------------------------------------------------------------------------------------


def parquet(source: IO[bytes], path: str, spec: StreamSpec) -> Layout:
    """The layout of a Parquet file; lines are counted from its first row. Raises Refused."""
    import pyarrow.parquet as pq

    with opened(source, path) as file:
        try:
            found = pq.ParquetFile(seekable(file))
            bounds.check_parquet(found.metadata, source)
            written = found.schema_arrow.names
        except (pa.ArrowException, OSError) as error:
            raise Refused(
                f"this is not a Parquet file that can be read ({' '.join(str(error).split())[:100]})"
            ) from None
    headers.check_width(written)
    names = headers.own(headers.clean_headers(written))

    def read(file: IO[bytes], only: set[str] | None) -> Iterator[Block]:
        places = {name: place for place, name in enumerate(names) if only is None or name in only}
        # Of columns with the same name, the n-th in the file is the n-th in a batch.
        which = {name: (written[place], written[:place].count(written[place])) for name, place in places.items()}
        number = 1
        for batch in pq.ParquetFile(seekable(file)).iter_batches(
            batch_size=ROWS, columns=list(dict.fromkeys(theirs for theirs, _ in which.values()))
        ):
            columns = {
                name: _column_text(batch.column(batch.schema.get_all_field_indices(theirs)[again]))
                for name, (theirs, again) in which.items()
            }
            lines = pa.array(range(number, number + batch.num_rows), pa.int64())
            number += batch.num_rows
            yield Block(columns, lines, [])

    return Layout(names, read, {"format": "parquet"}, has_types=True)


def _column_text(column: Any) -> Any:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _column_text(column.dictionary_decode())
    if pa.types.is_string(kind):
        return column
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return pc.binary_join_element_wise(pc.cast(column, pa.string()), TYPED, "")
    if pa.types.is_timestamp(kind):
        return _times_text(column)
    if pa.types.is_large_string(kind) or pa.types.is_date(kind) or pa.types.is_boolean(kind):
        return pc.cast(column, pa.string())
    return pa.array([cell_text(value) for value in column.to_pylist()], pa.string())


def _times_text(column: Any) -> Any:
    """Times formatted by Arrow, also for years outside Python's range: they become bad cells instead of
    a refused file.
    """
    zone = column.type.tz
    texts = pc.cast(pc.cast(column, pa.timestamp(column.type.unit)), pa.string())
    return pc.binary_join_element_wise(texts, "+00:00", "") if zone else texts


# JSON ---------------------------------------------------------------------------------------------------------------


def json_records(source: IO[bytes], path: str, spec: StreamSpec) -> Layout:
    """The layout of a file with one JSON object per line, or with a list of them; nested fields are named with dots.

    Bad rows are counted by line, or by record of the list. Raises Refused.
    """
    with opened(source, path) as file:
        start = file.read(JSON_START)
    named = spec.format or path.lower().removesuffix(".gz").rpartition(".")[2]
    is_document = json_documents.is_document(start, is_named_lines=named != "json")
    each_record = json_documents.records if is_document else bounds.lines
    found: dict[str, None] = {}
    with opened(source, path) as file:
        for number, line in enumerate(each_record(file), start=1):
            if number > JSON_HEADERS_WITHIN:
                break
            fields, _ = _fields(line)
            found |= dict.fromkeys(fields or ())
            headers.check_width(list(found))
    # A field that occurs only in later rows is a column too.
    found |= dict.fromkeys(sorted(spec.headers)) if found else {}
    if not found:
        raise Refused("the document holds no list of JSON objects" if is_document else "no line is a JSON object")
    names = tuple(found)

    def read(file: IO[bytes], only: set[str] | None) -> Iterator[Block]:
        return _json_blocks(each_record(file), [name for name in names if only is None or name in only])

    return Layout(names, read, {"format": "json" if is_document else "jsonl"}, has_types=True)


def _json_blocks(records: Iterator[bytes], kept: list[str]) -> Iterator[Block]:
    cells: dict[str, list[str | None]] = {name: [] for name in kept}
    numbers: list[int] = []
    bad: list[BadRow] = []

    def block() -> Block:
        columns = {name: pa.array(column, pa.string()) for name, column in cells.items()}
        return Block(columns, pa.array(numbers, pa.int64()), bad)

    for number, line in enumerate(records, start=1):
        fields, reason = _fields(line)
        if reason:
            bad.append(BadRow(number, None, reason, line.decode(errors="replace")[:10_000].strip()))
        if fields is not None:
            for name in kept:
                cells[name].append(cell_text(fields.get(name)))
            numbers.append(number)
        if (len(numbers) + len(bad)) * max(len(kept), 1) >= CELLS_OF_A_BLOCK:
            yield block()
            cells, numbers, bad = {name: [] for name in kept}, [], []
    if numbers or bad:
        yield block()


class _Unreadable(ValueError):
    """A line of JSON that cannot be a row; the message is the reason."""


# Numbers that a float may not represent exactly, or not as written.
_LONG = re.compile(rb"[0-9.]{16}|[0-9][eE]")


def _fields(line: bytes) -> tuple[dict[str, Any] | None, str | None]:
    """(fields of a line's object by name, None), (None, the reason without them), or (None, None) for an empty line."""
    import orjson

    text = line.removeprefix(b"\xef\xbb\xbf").strip()
    if not text:
        return None, None
    try:
        found = _exact(text) if _LONG.search(text) else orjson.loads(text)
        if not isinstance(found, dict):
            return None, "is not a JSON object"
        flat: dict[str, Any] = {}
        _flatten(found, "", 1, flat)
        # Each colon belongs to a key or is in a text; if there are more colons than keys, a key may occur twice.
        if text.count(b":") > len(flat):
            _exact(text)
    except RecursionError:
        return None, f"is nested more than {bounds.DEEPEST} deep"
    except _Unreadable as error:
        return None, str(error)
    except ValueError:
        return None, "is not JSON"
    return flat, None


def _exact(text: bytes) -> Any:
    """JSON with all digits of its numbers. Raises _Unreadable for an object that has one key with two values."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        once = dict(found)
        if len(once) < len(found) and any(once[name] != value for name, value in found):
            name = next(name for name, value in found if once[name] != value)
            raise _Unreadable(f"has the key {name[:100]!r} twice with two values")
        return once

    def never(constant: str) -> Any:
        raise ValueError(constant)

    return json.loads(text, parse_float=Number, parse_int=Number, parse_constant=never, object_pairs_hook=pairs)


def _flatten(found: dict[str, Any], before: str, depth: int, flat: dict[str, Any]) -> None:
    if depth > bounds.DEEPEST:
        raise _Unreadable(f"is nested more than {bounds.DEEPEST} deep")
    for name, value in found.items():
        if isinstance(value, dict):
            _flatten(value, f"{before}{name}.", depth + 1, flat)
        else:
            flat[before + name] = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
