"""Finds all records of the persons who are to be forgotten, from their addresses and vendor ids.

Two links are followed: ids and addresses of one raw row belong to one person, and so do the records that the marts
found to be one person. A deal or an activity that lists several contacts links nothing. Plain ids are only in memory;
what is stored of them is their tombstone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from funnel import warehouse
from funnel.contract import Column, Source, Stream, raw_table
from funnel.erasure.errors import ForgetRefused
from funnel.ingest.privacy import FORGOTTEN, email_key, id_key, keyed_hash, normalise_email, tombstone_in
from funnel.ingest.tombstones import EMAIL, Tombstones
from funnel.ingest.written_addresses import SHA256, digest
from funnel.sources import SOURCES

# So many records for one line of input are a collective address such as none@none.com, not a person.
MOST_RECORDS = 500
PERSON_ID = "person_id"


class Record(NamedTuple):
    """A person's record at a vendor: `kind` is a stream of persons, or `customers`."""

    source: str
    connection_id: str
    kind: str
    record_id: str


@dataclass
class Persons:
    """What identifies the persons: addresses as given, hashes of addresses and personal ids, records."""

    secret: bytes
    addresses: set[str] = field(default_factory=set)
    hashes: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    records: set[Record] = field(default_factory=set)
    unknown_lines: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.hashes) + len(self.records)

    def ids_of(self, kind: str) -> list[str]:
        """The vendor ids of a kind, `salesforce.contacts`, of any connection."""
        return sorted({each.record_id for each in self.records if f"{each.source}.{each.kind}" == kind})

    def tombstones(self) -> Iterator[tuple[str, str, str, str]]:
        """(tombstone, source, connection, kind) of everything that identifies the persons."""
        for key, place in self.hashes.items():
            yield key, *place
        for address in self.addresses:
            yield keyed_hash(self.secret, digest(address)), "", "", SHA256
        for each in self.records:
            yield self.tombstone(each), each.source, each.connection_id, each.kind

    @cached_property
    def keys(self) -> set[str]:
        """All hashes of the persons; a person in the marts has that of one of its records as its key."""
        return self.hashes.keys() | {self.tombstone(record) for record in self.records}

    def tombstone(self, record: Record) -> str:
        """The hash by which a record is known in `raw`."""
        return id_key(self.secret, f"{record.source}:{record.connection_id}:{record.kind}", record.record_id)


def streams_of_persons() -> Iterator[tuple[Source, Stream]]:
    """All streams with a column that names a person."""
    for source in SOURCES.values():
        for stream in source.streams:
            if any(column.person or column.type in ("email", "hashed") for column in stream.columns):
                yield source, stream


def find(connection: psycopg.Connection[Any], lines: list[str], known: Tombstones) -> Persons:
    """The persons of these lines, each an address or a vendor id; without a line, those who were forgotten before.

    Raises ForgetRefused before anything is changed.
    """
    secret = known.secret
    found = Persons(secret)
    most = MOST_RECORDS * max(1, len(lines))
    if not any(line.strip() for line in lines):
        _add_known(connection, found, known)
        most += MOST_RECORDS * len(known.keys)
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        if address := normalise_email(text):
            found.addresses.add(address)
            found.hashes[email_key(secret, address)] = ("", "", EMAIL)
        else:
            _add_id(connection, found, text, number)
    before = -1
    while before != len(found):
        before = len(found)
        _follow_raw_rows(connection, found)
        _follow_persons(connection, found)
        _refuse_too_many(found, len(lines), most)
    return found


def _add_known(connection: psycopg.Connection[Any], found: Persons, known: Tombstones) -> None:
    """Add those who were forgotten before: after the restoring of an older backup their rows are back."""
    for row in known.rows:
        if row.kind in (EMAIL, PERSON_ID):
            found.hashes[row.key] = (row.source, row.connection_id, row.kind)
    for source, stream, column, kind in _id_columns() if known else ():
        table = raw_table(source, stream)
        if not _has(connection, table):
            continue
        query = sql.SQL("select distinct _connection_id, {0} from {1} where {0} is not null").format(
            sql.Identifier(column.name), sql.Identifier("raw", table)
        )
        for connection_id, vendor_id in connection.execute(query).fetchall():
            if known.identifier(source.name, connection_id, (kind,), vendor_id):
                found.records.add(Record(source.name, connection_id, kind, vendor_id))


def _refuse_too_many(found: Persons, lines: int, most: int) -> None:
    if len(found) > most:
        raise ForgetRefused(
            f"{len(found)} records belong to {lines} lines of input: one of them is not the address of a person, such "
            "as none@none.com. Nothing was forgotten. Leave out collective addresses, or give vendor ids instead."
        )


def _add_id(connection: psycopg.Connection[Any], found: Persons, text: str, number: int) -> None:
    stated, _, vendor_id = text.rpartition(":")
    kinds = _kinds(connection)
    if stated:
        if stated not in kinds:
            known = ", ".join(sorted(kinds))
            raise ForgetRefused(f"Line {number}: the part before `:` is not one of {known}. Nothing was forgotten.")
        source, kind = stated.split(".")
        found.records |= {Record(source, each, kind, vendor_id) for each in kinds[stated]}
        return
    held = {name: records for name in kinds if (records := _records_with(connection, name, text))}
    if len(held) > 1:
        ways = " or ".join(f"{name}:<id>" for name in sorted(held))
        raise ForgetRefused(f"Line {number}: several records have this id; write {ways}. Nothing was forgotten.")
    if not held:
        found.unknown_lines.append(number)
    for records in held.values():
        found.records |= records


def _kinds(connection: psycopg.Connection[Any]) -> dict[str, set[str]]:
    """The kinds of persons, `salesforce.contacts`, each with the connections that were loaded."""
    kinds: dict[str, set[str]] = {}
    for source, _, _, kind in _id_columns():
        kinds.setdefault(f"{source.name}.{kind}", set())
    loaded = connection.execute("select distinct source, connection_id from ops.loads").fetchall()
    for name in kinds:
        kinds[name] = {each for source, each in loaded if source == name.partition(".")[0]} or {name.partition(".")[0]}
    return kinds


def _id_columns() -> Iterator[tuple[Source, Stream, Column, str]]:
    """Each column that holds one plain id of a person of its own source, with the kind of person."""
    for source, stream in streams_of_persons():
        for column in stream.columns:
            for kind in column.person:
                if "." not in kind and column.type == "text" and column.name != stream.merged_ids:
                    yield source, stream, column, kind


def _records_with(connection: psycopg.Connection[Any], name: str, vendor_id: str) -> set[Record]:
    found = set()
    for source, stream, column, kind in _id_columns():
        table = raw_table(source, stream)
        if f"{source.name}.{kind}" != name or len(column.person) > 1 or not _has(connection, table):
            continue
        query = sql.SQL("select distinct _connection_id from {} where {} = {}").format(
            sql.Identifier("raw", table), sql.Identifier(column.name), sql.Literal(vendor_id)
        )
        found |= {Record(source.name, each, kind, vendor_id) for (each,) in connection.execute(query).fetchall()}
    return found


def _has(connection: psycopg.Connection[Any], table: str) -> bool:
    return warehouse.has_table(connection, "raw", table)


def _follow_raw_rows(connection: psycopg.Connection[Any], found: Persons) -> None:
    """Add everything that identifies a person in the raw rows that name one."""
    kinds = _kinds(connection)
    for source, stream in streams_of_persons():
        columns = [one for one in stream.columns if _links(one)]
        if not columns or not _has(connection, raw_table(source, stream)):
            continue
        names = [_raw_name(one) for one in columns]
        query = sql.SQL("select _connection_id, {} from {} as stored where {}").format(
            sql.SQL(", ").join(map(sql.Identifier, names)),
            sql.Identifier("raw", raw_table(source, stream)),
            naming(found, source, stream, columns),
        )
        for connection_id, *values in connection.execute(query).fetchall():
            for column, value in zip(columns, values, strict=True):
                if value:
                    _add(found, source, stream, connection_id, column, value, kinds)


def _links(column: Column) -> bool:
    """True for a column whose value identifies the person of its row."""
    return (column.type in ("email", "hashed") and column.path != "row_key") or (
        bool(column.person) and column.type == "text"
    )


def _raw_name(column: Column) -> str:
    return column.raw_columns[0][0]


def naming(found: Persons, source: Source, stream: Stream, columns: list[Column]) -> sql.Composed:
    """The SQL condition that a raw row names one of the persons in one of these columns."""
    conditions: list[sql.Composable] = [sql.SQL("false")]
    for column in columns:
        name = sql.Identifier("stored", _raw_name(column))
        if column.type in ("email", "hashed"):
            conditions.append(sql.SQL("{} = any({})").format(name, sql.Literal(sorted(found.hashes))))
            continue
        ids = [one for kind in column.person for one in found.ids_of(kind if "." in kind else f"{source.name}.{kind}")]
        if not ids:
            continue
        if column.type == "jsonb":
            linked = sql.Literal((column.holds or (("", "text"),))[0][0])
            conditions.append(
                sql.SQL(
                    "jsonb_typeof({name}) = 'array' and exists (select from jsonb_array_elements({name}) as link "
                    "where link ->> {linked} = any({ids}))"
                ).format(name=name, linked=linked, ids=sql.Literal(ids))
            )
        elif column.name == stream.merged_ids:
            conditions.append(
                sql.SQL("string_to_array(replace({}, ' ', ''), ';') && {}").format(name, sql.Literal(ids))
            )
        else:
            conditions.append(sql.SQL("{} = any({})").format(name, sql.Literal(ids)))
    return sql.SQL(" or ").join(sql.SQL("({})").format(each) for each in conditions)


def _add(
    found: Persons,
    source: Source,
    stream: Stream,
    connection_id: str,
    column: Column,
    value: str,
    kinds: dict[str, set[str]],
) -> None:
    if column.type == "email":
        found.hashes.setdefault(value, ("", "", EMAIL))
        return
    if column.type == "hashed":
        found.hashes.setdefault(value, (source.name, connection_id, PERSON_ID))
        return
    ids = [one.strip() for one in value.split(";")] if column.name == stream.merged_ids else [value]
    for vendor_id in ids:
        if not vendor_id or vendor_id.startswith(FORGOTTEN):
            continue
        # An id that may be a lead's or a contact's says nothing more than the record that it names.
        for kind in column.person if len(column.person) == 1 else ():
            other, _, name = kind.rpartition(".")
            for each in kinds.get(kind, {other}) if other else {connection_id}:
                found.records.add(Record(other or source.name, each, name, vendor_id))


# Identifiers of intermediate.int_person_records --------------------------------------------------------------------


def _follow_persons(connection: psycopg.Connection[Any], found: Persons) -> None:
    """Add all records of the same persons, as the last build found them."""
    if not warehouse.has_table(connection, "intermediate", "int_person_records"):
        return
    known = [f"email:{key}" for key in found.hashes] + [f"files:person:{key}" for key in found.hashes]
    for each in found.records:
        known += identifiers(each)
    rows = connection.execute(
        "select distinct unnest(identifiers) from intermediate.int_person_records where person_key in "
        "(select person_key from intermediate.int_person_records where identifiers && %s)",
        (known,),
    ).fetchall()
    kinds = _kinds(connection)
    for (identifier,) in rows:
        system, kind, *rest = identifier.split(":")
        if system == "email":
            found.hashes.setdefault(kind, ("", "", EMAIL))
        elif kind == "person":
            found.hashes.setdefault(rest[0], ("files", "", PERSON_ID))
        elif system in SOURCES and kind in ("lead", "contact") and not tombstone_in(rest[-1]):
            if system == "files" and kind == "contact":
                # A person known only by touches: the id is the hash of the address.
                continue
            name = f"{system}.{kind}s"
            for each in rest[:-1] or kinds.get(name, {system}):
                found.records.add(Record(system, each, f"{kind}s", rest[-1]))


def identifiers(record: Record) -> list[str]:
    """How the marts write a record as an identifier of its person."""
    kind = record.kind.removesuffix("s")
    if record.source == "salesforce":
        return [f"salesforce:{kind}:{record.record_id}"]
    return [f"{record.source}:{kind}:{record.connection_id}:{record.record_id}"]
