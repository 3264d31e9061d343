"""Reduction: what is left of a body after persons were forgotten (ING-26).

A record that names a forgotten person keeps its counted facts. The person's ids and addresses in it become tombstones,
its undeclared fields go, and so do declared texts that may describe the person (`Column.erased`). In every other text
of any body a forgotten address is replaced. What is not concerned is returned unchanged, as the same object.
"""

from dataclasses import dataclass
from typing import Any

from funnel.contract import Column, Source, Stream
from funnel.ingest.errors import Unreadable
from funnel.ingest.privacy import FORGOTTEN, keyed_hash, normalise_email
from funnel.ingest.tombstones import Tombstones
from funnel.ingest.values import CONVERT
from funnel.ingest.written_addresses import find
from funnel.rest import bodies


@dataclass(frozen=True)
class Reduction:
    """How the bodies of one stream of one connection are reduced."""

    source: Source
    stream: Stream
    connection_id: str
    tombstones: Tombstones

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
            made = [self.identifier(column, one.strip()) or one for one in ids]
            return value if made == ids else ";".join(made)
        return self.identifier(column, value) or value

    def strip_mention(self, record: Any) -> bool:
        """Take the undeclared fields out of a record that names a forgotten person in a text only, in place: they may
        describe the person. A record of another form than its columns, such as a list of cells, keeps its fields.
        """
        if not isinstance(record, dict):
            return False
        tree = self._declared(*self.stream.ignored)
        if tree.keys().isdisjoint(record) or not any(find(bodies.write_json(record).decode(), self.tombstones)):
            return False
        _keep_declared(record, tree)
        return True

    @property
    def identity(self) -> str:
        """The prefix of everything that is hashed of this connection."""
        return f"{self.source.name}:{self.connection_id}"

    @property
    def has_persons(self) -> bool:
        """True if a column of the stream names persons."""
        return any(column.person or column.type in ("email", "hashed") for column in self.stream.columns)

    def identifier(self, column: Column, value: Any) -> str | None:
        """What replaces an id in this column; None if it was not forgotten."""
        return self.tombstones.identifier(self.source.name, self.connection_id, column.person, value)

    def _links(self, column: Column, links: list[Any]) -> list[Any]:
        """A list of links to records: each is an object that holds the id."""
        name = (column.holds or (("", "text"),))[0][0]
        made = []
        for link in links:
            replaced = self.identifier(column, link.get(name)) if isinstance(link, dict) else None
            # The labels of a link stay: one says which contact is a deal's first.
            made.append({**link, name: replaced} if replaced else link)
        return links if made == links else made

    def _strip(self, record: dict[str, Any]) -> None:
        """Take everything but the counted facts out of a record that names a forgotten person."""
        _keep_declared(record, self._declared())
        for column in self.stream.columns:
            path = column.path.split(".")
            value = _value(record, path)
            if column.type == "email" and isinstance(value, str) and (address := normalise_email(value)):
                if not address.startswith(FORGOTTEN):
                    _put(record, path, self.tombstones.spoil(address))
            elif column.erased is not None and value is not None:
                _put(record, path, erase(column, value))
            elif isinstance(value, str) and value and not _is_readable(column, value):
                # It stays unreadable: the row is quarantined as before.
                _put(record, path, FORGOTTEN)

    def _declared(self, *more: str) -> dict[str, Any]:
        """The declared fields as a tree."""
        tree: dict[str, Any] = {}
        for path in (*(column.path for column in self.stream.columns), *more):
            *parents, leaf = path.split(".")
            node = tree
            for parent in parents:
                node = node.setdefault(parent, {})
            node.setdefault(leaf, None)
        return tree

    def is_of_person(self, cell: Any, kinds: tuple[str, ...]) -> bool:
        """True if a cell of a file is the address or an id of a forgotten person."""
        tombstones = self.tombstones
        return bool(
            tombstones.email(cell)
            or tombstones.identifier(self.source.name, self.connection_id, kinds, cell)
            or (isinstance(cell, str) and tombstones.of(f"{self.identity}:person_id:{cell}"))
        )

    def hashed(self, path: str, value: str) -> str:
        """What is left of a value that is stored as its hash only."""
        identity = f"{self.identity}:{path}:{value}"
        # One with a tombstone was made with a person key that was replaced.
        return FORGOTTEN + (self.tombstones.of(identity) or keyed_hash(self.tombstones.secret, identity))

    def row_key(self, key: str) -> str:
        """The key of a row of a file that names a forgotten person."""
        column = next(one for one in self.stream.columns if one.name == "row_key")
        if key.startswith(FORGOTTEN):
            return key
        if column.type == "hashed":
            return self.hashed("row_key", key)
        parts = key.split("|")
        kinds = ("leads", "customers")
        made = [self.tombstones.identifier(self.source.name, self.connection_id, kinds, part) or part for part in parts]
        return "|".join(made)


def erase(column: Column, value: Any) -> Any:
    """What is left of a declared text of a forgotten person: its beginning, or the elements of a list that count."""
    word = column.erased or ""
    if isinstance(value, list):
        return [one for one in value if word in bodies.write_json(one).decode().casefold()]
    return value.partition(word)[0] if isinstance(value, str) else None


def _is_readable(column: Column, value: str) -> bool:
    """True if a text can be what its column holds; any text can be a text."""
    if column.type not in ("bigint", "numeric", "boolean", "date", "timestamptz"):
        return column.type != "jsonb"
    try:
        CONVERT[column.type](value, set())
    except Unreadable:
        return False
    return True


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
