"""Bodies without forgotten persons, in every form in which they are landed: JSON, CSV, listings, tables of files.

What is not concerned is returned unchanged, as the same object.
"""

import csv
import io
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

from funnel.contract import LISTING, Source
from funnel.ingest.landed_files import ARROW
from funnel.ingest.reduced_tables import reduce_table
from funnel.ingest.reduction import Reduction
from funnel.ingest.tombstones import Tombstones
from funnel.ingest.written_addresses import find, may_hold, replace_addresses
from funnel.rest import bodies
from funnel.rest.errors import UnreadableBody

_ZIPPED = b"PK\x03\x04"

Change = Callable[[bytes], bytes]


def of_read(source: Source, connection_id: str, stream: str, tombstones: Tombstones) -> Change:
    """The change of each body of a read; a listing's name ends with `.ids`."""
    reduction = Reduction(source, source.stream(stream), connection_id, tombstones)
    is_listing = stream.endswith(LISTING)
    return lambda body: _body(reduction, body, is_listing=is_listing)


def _body(reduction: Reduction, body: bytes, *, is_listing: bool = False) -> bytes:
    """One landed body without the forgotten persons; the same object if it names none of them."""
    if reduction.tombstones.is_empty:
        return body
    if body.startswith(ARROW):
        return reduce_table(reduction, body)
    if body.startswith(_ZIPPED):
        return _archive(reduction, body)
    if is_listing:
        return _listing(reduction, body)
    changed = _records(reduction, body) if reduction.has_persons else body
    return _texts(reduction, changed)


def _records(reduction: Reduction, body: bytes) -> bytes:
    if reduction.source.is_inbox:
        return _metadata(reduction, body)
    if not _is_json(body):
        return _table(reduction, body, reduction.record)
    return _each_record(body, reduction.record)


def _is_json(body: bytes) -> bool:
    return body.lstrip().startswith((b"{", b"["))


def _each_record(body: bytes, reduce: Callable[[Any], bool]) -> bytes:
    """A JSON body after `reduce` has changed its records in place; it returns true for those that it changed."""
    try:
        parsed = bodies.read_json(body)
    except UnreadableBody:
        return body
    found = [reduce(record) for records in _lists(parsed) or [[parsed]] for record in records]
    return bodies.write_json(parsed) if any(found) else body


def _table(reduction: Reduction, body: bytes, reduce: Callable[[Any], bool]) -> bytes:
    """CSV, as Salesforce's Bulk API sends it: null is an empty cell. Lines about a report may precede its header."""
    rows = list(csv.reader(io.StringIO(bodies.read_text(body), newline="")))
    first = next((place for place, row in enumerate(rows) if sum(cell.strip() != "" for cell in row) > 1), None)
    if first is None or len(set(header := rows[first])) != len(header):
        return body
    is_changed = False
    for place, row in enumerate(rows[first + 1 :], start=first + 1):
        record = dict(zip(header, row, strict=False)) if len(row) == len(header) else {}
        if reduce(record):
            is_changed = True
            rows[place] = [str(record.get(name, "") or "") for name in header]
    if not is_changed:
        return body
    written = io.StringIO(newline="")
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return written.getvalue().encode("utf-8", "surrogateescape")


def _metadata(reduction: Reduction, body: bytes) -> bytes:
    """The metadata of a file of an inbox: its bad rows hold cells as they were written."""
    parsed = bodies.read_json(body)
    kinds = ("leads", "customers")
    is_changed = False
    for row in parsed.get("bad", []):
        cells = [*(row.get("payload") or {}).values(), *str(row.get("key") or "").split("|")]
        if any(reduction.is_of_person(cell, kinds) for cell in cells):
            is_changed = True
            row["payload"] = {}
            row["key"] = reduction.row_key(row["key"]) if row.get("key") else row.get("key")
    return bodies.write_json(parsed) if is_changed else body


def _listing(reduction: Reduction, body: bytes) -> bytes:
    column = next(one for one in reduction.stream.columns if one.name == reduction.stream.key[0])
    if not column.person:
        return body
    parsed = bodies.read_json(body)
    ids = parsed["ids"]
    made = [reduction.identifier(column, one) or one for one in ids]
    return body if made == ids else bodies.write_json({**parsed, "ids": made})


def _archive(reduction: Reduction, body: bytes) -> bytes:
    """A report in a ZIP archive, as Microsoft sends it."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            files = [(one, archive.read(one)) for one in archive.infolist()]
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        # It cannot be loaded either.
        return body
    made = [(one, _texts(reduction, content)) for one, content in files]
    if all(new is old for (_, new), (_, old) in zip(made, files, strict=True)):
        return body
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for one, content in made:
            archive.writestr(zipfile.ZipInfo(one.filename, one.date_time), content, zipfile.ZIP_DEFLATED)
    return written.getvalue()


def _texts(reduction: Reduction, body: bytes) -> bytes:
    """A body in which forgotten addresses are replaced wherever they are written, and the records that hold one have
    lost their undeclared fields.
    """
    if not may_hold(body, reduction.tombstones) or not any(find(_text(body), reduction.tombstones)):
        return body
    if _is_json(body):
        body = _each_record(body, reduction.strip_mention)
    elif not reduction.source.is_inbox:
        body = _table(reduction, body, reduction.strip_mention)
    return replace_addresses(_text(body), reduction.tombstones).encode("utf-8", "surrogateescape")


def _text(body: bytes) -> str:
    return body.decode("utf-8", "surrogateescape")


def _lists(parsed: Any) -> list[list[Any]]:
    """The lists of records of a body: those that no other list contains."""
    if isinstance(parsed, list):
        return [parsed]
    if isinstance(parsed, dict):
        return [found for value in parsed.values() for found in _lists(value)]
    return []
