"""Reduction: what is left of a body after persons were forgotten (ING-26).

A record that names a forgotten person keeps its counted facts. The person's ids and addresses in it become tombstones,
its undeclared fields go, and so do declared texts that may describe the person (`Column.erased`). In every other text
of any body a forgotten address is replaced. What is not concerned is returned unchanged, as the same object.
"""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from funnel.contract import LISTING, Column, Source, Stream
from funnel.ingest.landed_files import ARROW
from funnel.ingest.privacy import FORGOTTEN, keyed_hash, normalise_email
from funnel.ingest.tombstones import Tombstones
from funnel.rest import bodies
from funnel.rest.errors import UnreadableBody

# Any address in a text, also behind an escape of JSON such as \u003c.
_ADDRESS = re.compile(r"[^\s\"'<>(),:;=&?/\\\[\]{}|@]+@[^\s\"'<>(),:;=&?/\\\[\]{}|@]+\.[^\s\"'<>(),:;=&?/\\\[\]{}|@]+")
_ESCAPED_AT = re.compile(rb"\\u0040|%40", re.IGNORECASE)

Change = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Reduction:
    """How the bodies of one stream of one connection are reduced."""

    source: Source
    stream: Stream
    connection_id: str
    tombstones: Tombstones

    def body(self, body: bytes, *, is_listing: bool = False) -> bytes:
        """One landed body without the forgotten persons; the same object if it names none of them."""
        if self.tombstones.is_empty:
            return body
        if body.startswith(ARROW):
            from funnel.ingest.reduced_tables import reduce_table

            return reduce_table(self, body)
        if is_listing:
            return self._listing(body)
        changed = self._records(body) if self._has_persons else body
        return self._texts(changed)

    def record(self, record: Any) -> bool:
        """Reduce a record in place; returns true if it named a forgotten person."""
        if not isinstance(record, dict):
            return False
        found = False
        for column in self.stream.columns:
            if column.person or column.type in ("email", "hashed"):
                path = column.path.split(".")
                value = _value(record, path)
                replaced = self.value(column, value)
                if replaced is not value:
                    found = True
                    _put(record, path, replaced)
        if found:
            self._strip(record)
        return found

    def value(self, column: Column, value: Any) -> Any:
        """The value of a column that names persons, with tombstones; the same object if none was forgotten."""
        if value is None or value == "":
            return value
        if column.type == "email":
            return self.tombstones.email(value) or value
        if column.type == "hashed":
            key = self.tombstones.of(f"{self.identity}:{column.path}:{value}") if isinstance(value, str) else None
            return f"{FORGOTTEN}{key}" if key else value
        if isinstance(value, list):
            return self._links(column, value)
        if self.stream.merged_ids == column.name and isinstance(value, str):
            ids = value.split(";")
            made = [self._identifier(column, one.strip()) or one for one in ids]
            return value if made == ids else ";".join(made)
        return self._identifier(column, value) or value

    @property
    def identity(self) -> str:
        """The prefix of everything that is hashed of this connection."""
        return f"{self.source.name}:{self.connection_id}"

    @property
    def _has_persons(self) -> bool:
        return any(column.person or column.type in ("email", "hashed") for column in self.stream.columns)

    def _identifier(self, column: Column, value: Any) -> str | None:
        return self.tombstones.identifier(self.source.name, self.connection_id, column.person, value)

    def _links(self, column: Column, links: list[Any]) -> list[Any]:
        """A list of links to records: each is an object that holds the id."""
        name = (column.holds or (("", "text"),))[0][0]
        made = []
        for link in links:
            replaced = self._identifier(column, link.get(name)) if isinstance(link, dict) else None
            made.append({name: replaced} if replaced else link)
        return links if made == links else made

    def _strip(self, record: dict[str, Any]) -> None:
        """Take everything but the counted facts out of a record that names a forgotten person."""
        tree: dict[str, Any] = {}
        for column in self.stream.columns:
            *parents, leaf = column.path.split(".")
            node = tree
            for parent in parents:
                node = node.setdefault(parent, {})
            node.setdefault(leaf, None)
        _keep_declared(record, tree)
        for column in self.stream.columns:
            path = column.path.split(".")
            value = _value(record, path)
            if column.type == "email" and isinstance(value, str) and (address := normalise_email(value)):
                if not address.startswith(FORGOTTEN):
                    _put(record, path, self.tombstones.spoil(address))
            elif column.erased is not None and value is not None:
                _put(record, path, erase(column, value))

    def _records(self, body: bytes) -> bytes:
        if self.source.is_inbox:
            return self._metadata(body)
        if not body.lstrip().startswith((b"{", b"[")):
            return self._table(body)
        try:
            parsed = bodies.read_json(body)
        except UnreadableBody:
            return body
        found = [self.record(record) for records in _lists(parsed) for record in records]
        return bodies.write_json(parsed) if any(found) else body

    def _table(self, body: bytes) -> bytes:
        """CSV, as Salesforce's Bulk API sends it: null is an empty cell."""
        rows = list(csv.reader(io.StringIO(bodies.read_text(body), newline="")))
        if not rows or len(set(rows[0])) != len(rows[0]):
            return body
        is_changed = False
        for place, row in enumerate(rows[1:], start=1):
            record = dict(zip(rows[0], row, strict=False)) if len(row) == len(rows[0]) else {}
            if self.record(record):
                is_changed = True
                rows[place] = [str(record.get(name, "") or "") for name in rows[0]]
        if not is_changed:
            return body
        written = io.StringIO(newline="")
        csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
        return written.getvalue().encode("utf-8", "surrogateescape")

    def _metadata(self, body: bytes) -> bytes:
        """The metadata of a file of an inbox: its bad rows hold cells as they were written."""
        parsed = bodies.read_json(body)
        kinds = ("leads", "customers")
        is_changed = False
        for row in parsed.get("bad", []):
            cells = [*(row.get("payload") or {}).values(), *str(row.get("key") or "").split("|")]
            if any(self._is_of_person(cell, kinds) for cell in cells):
                is_changed = True
                row["payload"] = {}
                row["key"] = self.row_key(row["key"]) if row.get("key") else row.get("key")
        return bodies.write_json(parsed) if is_changed else body

    def _is_of_person(self, cell: Any, kinds: tuple[str, ...]) -> bool:
        tombstones = self.tombstones
        return bool(
            tombstones.email(cell)
            or tombstones.identifier(self.source.name, self.connection_id, kinds, cell)
            or (isinstance(cell, str) and tombstones.of(f"{self.identity}:person_id:{cell}"))
        )

    def row_key(self, key: str) -> str:
        """The key of a row of a file that names a forgotten person."""
        column = next(one for one in self.stream.columns if one.name == "row_key")
        if key.startswith(FORGOTTEN):
            return key
        if column.type == "hashed":
            return FORGOTTEN + keyed_hash(self.tombstones.secret, f"{self.identity}:row_key:{key}")
        parts = key.split("|")
        kinds = ("leads", "customers")
        made = [self.tombstones.identifier(self.source.name, self.connection_id, kinds, part) or part for part in parts]
        return "|".join(made)

    def _listing(self, body: bytes) -> bytes:
        column = next(one for one in self.stream.columns if one.name == self.stream.key[0])
        if not column.person:
            return body
        parsed = bodies.read_json(body)
        ids = parsed["ids"]
        made = [self._identifier(column, one) or one for one in ids]
        return body if made == ids else bodies.write_json({**parsed, "ids": made})

    def _texts(self, body: bytes) -> bytes:
        """A body in which forgotten addresses are replaced wherever they are written."""
        if b"@" not in body and not _ESCAPED_AT.search(body):
            return body
        text = body.decode("utf-8", "surrogateescape")
        made = replace_addresses(text, self.tombstones)
        return body if made == text else made.encode("utf-8", "surrogateescape")


def replace_addresses(text: str, tombstones: Tombstones) -> str:
    """A text with every forgotten address in it replaced."""
    return _ADDRESS.sub(lambda found: tombstones.email(found[0]) or found[0], text)


def of_read(source: Source, connection_id: str, stream: str, tombstones: Tombstones) -> Change:
    """The change of each body of a read; a listing's name ends with `.ids`."""
    reduction = Reduction(source, source.stream(stream), connection_id, tombstones)
    is_listing = stream.endswith(LISTING)
    return lambda body: reduction.body(body, is_listing=is_listing)


def erase(column: Column, value: Any) -> Any:
    """What is left of a declared text of a forgotten person: its beginning, or the elements of a list that count."""
    word = column.erased or ""
    if isinstance(value, list):
        return [one for one in value if word in bodies.write_json(one).decode().casefold()]
    return value.partition(word)[0] if isinstance(value, str) else None


def _value(record: dict[str, Any], path: list[str]) -> Any:
    value: Any = record
    for step in path:
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value


def _put(record: dict[str, Any], path: list[str], value: Any) -> None:
    *parents, leaf = path
    node = record
    for parent in parents:
        node = node[parent]
    node[leaf] = value


def _keep_declared(record: dict[str, Any], tree: dict[str, Any]) -> None:
    for name in list(record):
        if name not in tree:
            del record[name]
        elif isinstance(subtree := tree[name], dict) and isinstance(record[name], dict):
            _keep_declared(record[name], subtree)


def _lists(parsed: Any) -> list[list[Any]]:
    """The lists of records of a body: those that no other list contains."""
    if isinstance(parsed, list):
        return [parsed]
    if isinstance(parsed, dict):
        return [found for value in parsed.values() for found in _lists(value)]
    return []
