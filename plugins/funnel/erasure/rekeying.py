"""Rekeying: replaces the person key, so that who knows the old one recognises no person (ING-28).

Every stored hash is replaced by the hash that the new key makes of the same address or id. These are read again: ids
from the raw rows, addresses from the landed files. A hash whose address is in none of them becomes a hash of the old
one: it stays one person, but a later read does not find it. Keys that the marts make of a person's key follow, so
history joins with what is built next. Tombstones stay: what they are compared with is hashed with the old key, which
is kept, encrypted, for them only.

All happens in one transaction, which begins with nothing changed and ends with everything.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from funnel import ledger, warehouse
from funnel.contract import Source, Stream, raw_table
from funnel.erasure import forgetting, persons, stored_rows
from funnel.erasure.errors import RotationRefused
from funnel.ingest import encryption, landing, privacy, tombstones
from funnel.ingest.errors import LandingError
from funnel.ingest.privacy import id_key, keyed_hash
from funnel.ingest.rehashed_rows import pairs_of
from funnel.ingest.tombstones import Tombstones

ROW_KEY = "row_key"
_HASH = re.compile(r"[0-9a-f]{32}")
# Hashes in the ledger: of keys and rows that were noted, by which nothing is joined.
_NOTED = (
    ("quarantine", "hashed_key"),
    ("quarantine", "hashed_payload"),
    ("checks", "sample_keys"),
    ("loads", "conflicts"),
)


@dataclass
class Rekeyed:
    """What was replaced: hashes, those of them whose address or id is not known any more, and rows by table."""

    hashes: int = 0
    unknown: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)


def is_current(secret: bytes) -> bool:
    """True if the warehouse was loaded with this key. Raises RotationRefused if it was never loaded."""
    with warehouse.connect("admin") as connection:
        return _fingerprint(connection) == privacy.fingerprint(secret)


def rekey(old: bytes, new: bytes) -> Rekeyed:
    """Replace the key `old` by `new` everywhere; does nothing if that is done. Loads and builds wait meanwhile.

    Raises RotationRefused, before anything is changed, if the warehouse was loaded with another key than `old`.
    """
    done = Rekeyed()
    with warehouse.connect("admin", autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s)", (ledger.BUILD_LOCK,))
        if _fingerprint(connection) != privacy.fingerprint(new):
            if _fingerprint(connection) != privacy.fingerprint(old):
                raise RotationRefused(
                    f"The warehouse was loaded with the person key of fingerprint {_fingerprint(connection)}; the key "
                    f"to be replaced has {privacy.fingerprint(old)}. Nothing was changed. Give the key that it was "
                    "loaded with."
                )
            with connection.transaction():
                _rekey(connection, old, new, done)
        tombstones.write_landed(connection, new)
        # Also if a run before was killed after its transaction.
        forgetting.rewrite_tables(connection, done.rows)
        forgetting.recycle_log(connection)
    return done


def _fingerprint(connection: psycopg.Connection[Any]) -> str:
    row = connection.execute("select person_key_fingerprint from ops.installation").fetchone()
    if row is None or row[0] is None:
        raise RotationRefused(
            "Nothing was loaded yet, so no hash needs the person key. Write the new key into PERSON_KEY_SECRET, or "
            "delete person_key_secret from secrets.json to get one."
        )
    return str(row[0])


def _rekey(connection: psycopg.Connection[Any], old: bytes, new: bytes, done: Rekeyed) -> None:
    known = tombstones.read(connection, old)
    pairs = _pairs(connection, old, new, done)
    kept = known.keys | _keep_row_keys(connection, known, pairs)
    stored = {value for places in _hash_columns(connection) for value in _values(connection, *places)} - kept
    unknown = stored - pairs.keys()
    made = {value: pairs.get(value) or keyed_hash(new, value) for value in stored}
    # A record may be gone whose hash is in what was built of it.
    persons_built = _persons_built(connection)
    made |= {value: keyed_hash(new, value) for value in persons_built - kept - made.keys()}
    done.hashes, done.unknown = len(made), len(unknown)
    for table, column in _hash_columns(connection):
        done.rows[f"raw.{table}"] = done.rows.get(f"raw.{table}", 0) + _replace(connection, "raw", table, column, made)
    _rekey_built(connection, made | _lead_keys(connection, made, persons_built), done)
    for table, column in _NOTED:
        noted = {
            one: pairs.get(one) or keyed_hash(new, one)
            for value in _values_like(connection, "ops", table, column)
            for one in _HASH.findall(value)
        }
        done.rows[f"ops.{table}"] = done.rows.get(f"ops.{table}", 0) + _replace(connection, "ops", table, column, noted)
    connection.execute(
        "insert into privacy.old_person_keys (fingerprint, person_key) values (%s, %s) on conflict do nothing",
        (privacy.fingerprint(old), b"".join(encryption.encrypted(old))),
    )
    connection.execute("update ops.installation set person_key_fingerprint = %s", (privacy.fingerprint(new),))


# Which hash becomes which ------------------------------------------------------------------------------------------


def _pairs(connection: psycopg.Connection[Any], old: bytes, new: bytes, done: Rekeyed) -> dict[str, str]:
    """The new hash by the old one, of all addresses and ids that the landed files and the raw rows hold."""
    pairs: dict[str, str] = {}
    streams = {(source.name, stream.name) for source, stream in persons.streams_of_persons()}
    broken: dict[str, LandingError] = {}
    for read in landing.reads(damaged=broken):
        if (read.source, read.stream) in streams:
            try:
                pairs.update(pairs_of(read, old, new))
            except LandingError as error:
                broken[read.path] = error
    done.damaged = sorted(broken)
    for source, stream in persons.streams_of_persons():
        if stream.person:
            pairs.update(_pairs_of_ids(connection, source, stream, old, new))
    return pairs


def _pairs_of_ids(
    connection: psycopg.Connection[Any], source: Source, stream: Stream, old: bytes, new: bytes
) -> Iterator[tuple[str, str]]:
    table = raw_table(source, stream)
    if not warehouse.has_table(connection, "raw", table):
        return
    key = sql.SQL("concat_ws(':', {})").format(sql.SQL(", ").join(map(sql.Identifier, stream.key)))
    query = sql.SQL("select _connection_id, {} from {}").format(key, sql.Identifier("raw", table))
    for connection_id, vendor_id in connection.execute(query).fetchall():
        identity = f"{source.name}:{connection_id}:{stream.name}"
        before, after = id_key(old, identity, vendor_id), id_key(new, identity, vendor_id)
        if before != after:
            yield before, after


def _keep_row_keys(connection: psycopg.Connection[Any], known: Tombstones, pairs: dict[str, str]) -> set[str]:
    """Hashed keys of rows of forgotten persons: what they were made of is gone, so they become tombstones."""
    kept: set[str] = set()
    for source, stream in persons.streams_of_persons():
        columns = [one for one in stream.columns if one.type in ("email", "hashed") and one.name != ROW_KEY]
        is_hashed = any(one.type == "hashed" and one.name == ROW_KEY for one in stream.columns)
        if not known or not is_hashed or not warehouse.has_table(connection, "raw", raw_table(source, stream)):
            continue
        named = sql.SQL(" or ").join(
            sql.SQL("{} = any({})").format(sql.Identifier(one.raw_columns[0][0]), sql.Literal(sorted(known.keys)))
            for one in columns
        )
        query = sql.SQL("select distinct _connection_id, row_key from {} where {}").format(
            sql.Identifier("raw", raw_table(source, stream)), named
        )
        rows = [(key, place) for place, key in connection.execute(query).fetchall() if key not in pairs]
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into privacy.tombstones (tombstone, source, connection_id, kind) values (%s, %s, %s, %s) "
                "on conflict (tombstone) do nothing",
                [(key, source.name, place, ROW_KEY) for key, place in rows],
            )
        kept |= {key for key, _ in rows}
    return kept


def _lead_keys(connection: psycopg.Connection[Any], made: dict[str, str], persons_built: set[str]) -> dict[str, str]:
    """The keys that models make of a person's key and the number of a cycle (macro surrogate_key)."""
    most = 0
    for schema in stored_rows.BUILT:
        for table in warehouse.tables(connection, schema):
            if "cycle_no" in warehouse.columns(connection, schema, table):
                query = sql.SQL("select coalesce(max(cycle_no), 0) from {}").format(sql.Identifier(schema, table))
                most = max(most, *connection.execute(query).fetchone() or (0,))
    return {
        _surrogate_key(person, number): _surrogate_key(made[person], number)
        for person in persons_built & made.keys()
        for number in range(1, most + 1)
    }


def _surrogate_key(person_key: str, cycle_no: int) -> str:
    return hashlib.md5(f"{person_key}|{cycle_no}".encode(), usedforsecurity=False).hexdigest()


def _persons_built(connection: psycopg.Connection[Any]) -> set[str]:
    found: set[str] = set()
    for schema in stored_rows.BUILT:
        for table in warehouse.tables(connection, schema):
            for column in warehouse.columns(connection, schema, table):
                if column in ("person_key", "record_key"):
                    values = _values(connection, table, column, schema)
                    found |= {value for value in values if _HASH.fullmatch(value)}
    return found


# Stored values -----------------------------------------------------------------------------------------------------


def _hash_columns(connection: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    """(raw table, column) of each hash of an address or id."""
    found = []
    for source, stream in persons.streams_of_persons():
        table = raw_table(source, stream)
        columns = [one.raw_columns[0][0] for one in stream.columns if one.type in ("email", "hashed")]
        stored = warehouse.columns(connection, "raw", table)
        found += [(table, name) for name in (*columns, "_record_key") if name in stored]
    return found


def _values(connection: psycopg.Connection[Any], table: str, column: str, schema: str = "raw") -> set[str]:
    query = sql.SQL("select distinct {0} from {1} where {0} is not null").format(
        sql.Identifier(column), sql.Identifier(schema, table)
    )
    return {value for (value,) in connection.execute(query).fetchall()}


def _rekey_built(connection: psycopg.Connection[Any], made: dict[str, str], done: Rekeyed) -> None:
    for schema in stored_rows.BUILT:
        for table in warehouse.tables(connection, schema):
            rows = sum(
                _replace(connection, schema, table, column, made)
                for column, kind in warehouse.columns(connection, schema, table).items()
                if kind in ("text", "text[]", "character varying", "jsonb")
            )
            if rows:
                done.rows[f"{schema}.{table}"] = rows


def _values_like(connection: psycopg.Connection[Any], schema: str, table: str, column: str) -> Iterable[str]:
    """The distinct values of a column, as text, that may hold a hash."""
    query = sql.SQL(
        "select distinct {0}::text from {1} where octet_length({0}::text) >= 32 and {0}::text ~ '[0-9a-f]{{32}}'"
    ).format(sql.Identifier(column), sql.Identifier(schema, table))
    return [value for (value,) in connection.execute(query).fetchall()]


def _replace(connection: psycopg.Connection[Any], schema: str, table: str, column: str, made: dict[str, str]) -> int:
    """Replace hashes in one column, as the whole value or within it; returns the rows changed."""
    changed = [
        (value, after)
        for value in _values_like(connection, schema, table, column)
        if (after := _HASH.sub(lambda one: made.get(one[0], one[0]), value)) != value
    ]
    if not changed:
        return 0
    connection.execute("create temporary table rehashed (value text primary key, made text) on commit drop")
    with connection.cursor() as cursor, cursor.copy("copy rehashed from stdin") as copy:
        for row in changed:
            copy.write_row(row)
    connection.execute("analyze rehashed")
    kind = warehouse.columns(connection, schema, table)[column]
    statement = sql.SQL(
        "update {} as stored set {} = rehashed.made::{} from rehashed where stored.{}::text = rehashed.value"
    ).format(sql.Identifier(schema, table), sql.Identifier(column), sql.SQL(kind), sql.Identifier(column))
    rows = connection.execute(statement).rowcount
    connection.execute("drop table rehashed")
    return rows
