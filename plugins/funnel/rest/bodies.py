"""Reads and writes vendors' bodies, JSON and CSV; an unreadable value affects one value or one record, never the body.

Numbers keep all their digits (Decimal, never float). Texts keep characters that PostgreSQL refuses, half surrogate
pairs and NUL: the loader handles them column by column (`funnel.ingest.values`). Bytes that are not UTF-8 become half
surrogate pairs too. Only a body that is incomplete, or not JSON or CSV at all, raises UnreadableBody.
"""

import csv
import io
import json
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import count
from json.encoder import encode_basestring_ascii
from typing import Any

import msgspec

from funnel.rest.errors import UnreadableBody

# Characters of one cell; the default of 131,072 is less than a long text field of Salesforce.
csv.field_size_limit(sys.maxsize)


# Digits: Python converts no longer text to an int; a Decimal has no such limit.
LONGEST_INT = 4_000


@dataclass(frozen=True)
class Misfit:
    """A readable record that does not have the form of its body: what is wrong, and its content."""

    reason: str
    content: Any


def _number(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:
        # An exponent of more than 18 digits: treated as text from here on, which no numeric column accepts.
        return text


def _whole_number(text: str) -> int | Decimal | str:
    return int(text) if len(text) <= LONGEST_INT else _number(text)


_DECODER = msgspec.json.Decoder(float_hook=_number)


_ENCODER = msgspec.json.Encoder(decimal_format="number")


def read_json(body: bytes) -> Any:
    """One JSON document. Raises UnreadableBody if the body is not one complete document."""
    try:
        return _DECODER.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # Irregular or invalid JSON: the standard library's reader is slower and accepts more.
        pass
    try:
        return json.loads(
            read_text(body), parse_float=_number, parse_int=_whole_number, parse_constant=Decimal, strict=False
        )
    except ValueError as error:
        raise UnreadableBody(f"is not valid JSON: {error}") from None
    except RecursionError:
        raise UnreadableBody("is JSON that is nested too deeply") from None


def read_text(body: bytes) -> str:
    """The text of a body without its byte order mark; bytes that are not UTF-8 become lone surrogates."""
    return body.decode("utf-8", "surrogateescape").removeprefix("\ufeff")


def write_json(value: Any) -> bytes:
    """Compact JSON that `read_json` reads as the same value: all digits, and half surrogate pairs as escapes."""
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:
        return "".join(_spell(value)).encode()


def _spell(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield encode_basestring_ascii(value)
    elif isinstance(value, dict):
        for number, (name, below) in enumerate(value.items()):
            yield ("," if number else "{") + encode_basestring_ascii(name) + ":"
            yield from _spell(below)
        yield "}" if value else "{}"
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield "," if number else "["
            yield from _spell(below)
        yield "]" if value else "[]"
    else:
        yield _ENCODER.encode(value).decode()


def listed(parsed: Any, path: str, *, may_be_absent: bool = False) -> list[Any]:
    """The list at a dotted path of a parsed body. Raises UnreadableBody if there is no list."""
    value = parsed
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if value is None and may_be_absent and isinstance(parsed, dict) and path not in parsed:
        return []
    if not isinstance(value, list):
        raise UnreadableBody(f"holds {kind(value)} where the list `{path}` is expected")
    return value


def table(rows: Iterable[list[str]]) -> Iterator[dict[str, Any] | Misfit]:
    """The records of CSV whose first row names the columns. A row of another length becomes a Misfit. Raises
    UnreadableBody.
    """
    header: list[str] | None = None
    for row, number in zip(rows, count(1), strict=False):
        if header is None:
            header = named_once(row)
        elif row:
            yield record(header, row, number)


def record(header: list[str], row: list[str], number: int) -> dict[str, Any] | Misfit:
    """One row as a dictionary by the names of the header; a Misfit if it has another length."""
    if len(row) != len(header):
        return Misfit(f"row {number} of the table has {len(row)} cells where {len(header)} are expected", row)
    return dict(zip(header, row, strict=True))


def named_once(header: list[str]) -> list[str]:
    """The header itself. Raises UnreadableBody if a name occurs twice: it would be unclear which column is meant."""
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise UnreadableBody(f"names the column {twice[0][:100]!r} twice")
    return header


def read_csv(body: bytes) -> Iterator[dict[str, Any] | Misfit]:
    """The records of a CSV body, texts unchanged. Raises UnreadableBody."""
    try:
        yield from table(csv.reader(io.StringIO(read_text(body), newline="")))
    except csv.Error as error:
        raise UnreadableBody(f"is not readable CSV: {error}") from None


def read_zipped_rows(body: bytes) -> Iterator[list[str]]:
    """The rows of the CSV file in a ZIP archive, decompressed as they are read. Raises UnreadableBody."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            names = archive.namelist()
            if not names:
                raise UnreadableBody("is a ZIP archive without a file")
            with archive.open(names[0]) as file:
                yield from csv.reader(io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline=""))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, csv.Error) as error:
        raise UnreadableBody(f"is not a readable ZIP archive with a CSV file: {error}") from None


_KINDS = {bool: "a boolean", dict: "an object", list: "an array", str: "text"}


_KINDS |= dict.fromkeys((int, float, Decimal), "a number")


def kind(value: Any) -> str:
    """The JSON type of a parsed value, in words."""
    return _KINDS.get(type(value), "null")
