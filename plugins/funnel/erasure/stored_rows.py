"""Forgotten persons in the warehouse: raw rows, quarantine, everything built from them, what readers saw, the ledger.

Values are replaced as in landed files (`funnel.ingest.reduction`), so that a replay and a later read give the rows that
are left here. Keys made of an id, such as `fct_touchpoints.touch_id`, get the tombstone in place of the id; hashed keys
stay. All changes are part of the caller's transaction.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from funnel import warehouse
from funnel.contract import Column, Source, Stream, raw_table
from funnel.erasure import persons
from funnel.erasure.persons import Persons, Record
from funnel.ingest.privacy import FORGOTTEN, keyed_hash
from funnel.ingest.reduction import Reduction, erase
from funnel.ingest.tombstones import Tombstones
from funnel.ingest.values import as_text
from funnel.ingest.written_addresses import SIGNS, replace_addresses
from funnel.sources import SOURCES

BUILT = ("intermediate", "statistics", "marts", "marts_changes", "bi", "bi_history")
SCHEMAS = ("raw", "ops", "logins", "seeds", *BUILT)
# Columns that hold plain ids of records; `int_account_records` holds those of accounts.
ID_COLUMNS = ("record_id", "lead_id", "contact_id", "customer_id", "loser_id", "survivor_id")
NOT_OF_PERSONS = ("int_account_records",)
# Ids of at least this length are unique enough to be replaced wherever they are written.
LONG_ID = 15
_TEXTS = ("text", "text[]", "jsonb", "json", "character varying", "bytea")
# Keys of other things than persons name their kind; a contact may have the number of an event.
_OTHER_KINDS = frozenset({"event", "member", "touch", "owner", "history", "opportunity", "deal", "company", "account"})

Counts = Counter[str]


def reduce_raw(connection: psycopg.Connection[Any], found: Persons, tombstones: Tombstones) -> Counts:
    """Reduce all raw rows that name one of the persons; returns the rows by table."""
    counts: Counts = Counter()
    for source, stream in persons.streams_of_persons():
        table = raw_table(source, stream)
        if warehouse.has_table(connection, "raw", table):
            counts[f"raw.{table}"] = _reduce_table(connection, found, tombstones, source, stream)
    return +counts


def _reduce_table(
    connection: psycopg.Connection[Any], found: Persons, tombstones: Tombstones, source: Source, stream: Stream
) -> int:
    naming = [one for one in stream.columns if one.person or one.type in ("email", "hashed")]
    changing = [one for one in stream.columns if _may_change(one)]
    table = sql.Identifier("raw", raw_table(source, stream))
    names = sql.SQL(", ").join(sql.Identifier(one.name) for one in changing)
    rows = connection.execute(
        sql.SQL("select ctid, _connection_id, _extra is not null {} from {} as stored where {}").format(
            sql.SQL(", {}").format(names) if changing else sql.SQL(""),
            table,
            persons.naming(found, source, stream, naming),
        )
    ).fetchall()
    updates = []
    for place, connection_id, has_extra, *values in rows:
        reduction = Reduction(source, stream, connection_id, tombstones)
        made = [_reduced(reduction, column, value) for column, value in zip(changing, values, strict=True)]
        if has_extra or made != values:
            updates.append([*(Jsonb(one) if isinstance(one, (list, dict)) else one for one in made), place])
    assignments = sql.SQL(", ").join(
        [sql.SQL("_extra = null"), *(sql.SQL("{} = %s").format(sql.Identifier(one.name)) for one in changing)]
    )
    with connection.cursor() as cursor:
        cursor.executemany(sql.SQL("update {} set {} where ctid = %s").format(table, assignments), updates)
    return len(updates)


def _may_change(column: Column) -> bool:
    return bool(column.person) or column.erased is not None or column.name == "row_key"


def _reduced(reduction: Reduction, column: Column, value: Any) -> Any:
    if value is None or (column.type == "hashed" and column.name == "row_key"):
        return value
    if column.name == "row_key":
        return reduction.row_key(value)
    if column.erased is not None:
        return erase(column, value)
    return reduction.value(column, value)


def reduce_quarantine(connection: psycopg.Connection[Any], tombstones: Tombstones) -> Counts:
    """Reduce the content of unreadable rows that name a forgotten person."""
    counts: Counts = Counter()
    rows = connection.execute(
        "select quarantine_id, source, connection_id, stream, payload from ops.quarantine "
        "inner join raw.quarantine using (quarantine_id)"
    ).fetchall()
    for number, source_name, connection_id, stream_name, payload in rows:
        source = SOURCES.get(source_name)
        before = as_text(payload, set())
        if source is not None:
            reduction = Reduction(source, source.stream(stream_name), connection_id, tombstones)
            if source.is_inbox:
                cells = payload.get("row") or {}
                if any(reduction.is_of_person(cell, ("leads", "customers")) for cell in dict(cells).values()):
                    payload["row"] = {}
            else:
                reduction.record(payload)
        after = replace_addresses(as_text(payload, set()), tombstones)
        if after == before:
            continue
        counts["raw.quarantine"] += 1
        connection.execute("update raw.quarantine set payload = %s::jsonb where quarantine_id = %s", (after, number))
        # The same row, read again, is reduced before it is compared.
        connection.execute(
            "update ops.quarantine set hashed_payload = %s where quarantine_id = %s and not exists (select from "
            "ops.quarantine as other where (other.source, other.connection_id, other.stream, other.hashed_payload) = "
            "(quarantine.source, quarantine.connection_id, quarantine.stream, %s))",
            (hash_ := keyed_hash(tombstones.secret, after), number, hash_),
        )
    return counts


def reduce_built(connection: psycopg.Connection[Any], found: Persons) -> Counts:
    """Put tombstones in place of vendor ids in everything that was built or published."""
    counts: Counts = Counter()
    by_id: dict[str, list[Record]] = {}
    for record in found.records:
        by_id.setdefault(record.record_id, []).append(record)
    if not by_id:
        return counts
    connection.execute("create temporary table forgotten_ids (id text primary key) on commit drop")
    with connection.cursor() as cursor, cursor.copy("copy forgotten_ids from stdin") as copy:
        for each in by_id:
            copy.write_row((each,))
    connection.execute("analyze forgotten_ids")
    for schema in (*BUILT, "seeds"):
        for table in warehouse.tables(connection, schema):
            if table in NOT_OF_PERSONS or (schema == "seeds" and table != "separate_records"):
                continue
            columns = warehouse.columns(connection, schema, table)
            for column, kind in columns.items():
                if kind in ("text", "text[]", "character varying"):
                    where = (schema, table, column)
                    if rows := _replace_ids(connection, found, by_id, where, kind, columns):
                        counts[f"{schema}.{table}"] += rows
    return counts


def _replace_ids(
    connection: psycopg.Connection[Any],
    found: Persons,
    by_id: dict[str, list[Record]],
    where: tuple[str, str, str],
    kind: str,
    columns: dict[str, str],
) -> int:
    """Replace ids in one column: the whole value, or a part of a key such as `hubspot:hubspot:contact:51`."""
    schema, table, column = where
    names: dict[str, sql.Composable] = {"table": sql.Identifier(schema, table), "column": sql.Identifier(column)}
    stated = ("source_system", "connection_id", "record_type", "person_key")
    within = [one for one in stated if one in columns and one != column]
    names["within"] = sql.SQL("").join(sql.SQL(", {}").format(sql.Identifier(one)) for one in within)
    names["value"] = sql.SQL("unnest({})" if kind == "text[]" else "{}").format(sql.Identifier(column))
    rows = connection.execute(
        sql.SQL(
            "select distinct value {within} from (select {value} as value {within} from {table}) as found "
            "where string_to_array(translate(value, '|', ':'), ':') && (select array_agg(id) from forgotten_ids)"
        ).format(**names)
    ).fetchall()
    replaced = [
        (value, made, *place)
        for value, *place in rows
        if (made := _with_tombstone(found, by_id, column, value, dict(zip(within, place, strict=True))))
    ]
    if not replaced:
        return 0
    connection.execute("drop table if exists pg_temp.forgotten_values")
    connection.execute(
        sql.SQL("create temporary table forgotten_values (value text, made text {}) on commit drop").format(
            sql.SQL("").join(sql.SQL(", {} text").format(sql.Identifier(one)) for one in within)
        )
    )
    with connection.cursor() as cursor, cursor.copy("copy forgotten_values from stdin") as copy:
        for row in replaced:
            copy.write_row(row)
    connection.execute("analyze forgotten_values")
    names["same"] = sql.SQL("").join(
        sql.SQL(" and stored.{0} is not distinct from replaced.{0}").format(sql.Identifier(one)) for one in within
    )
    statement = (
        "update {table} as stored set {column} = ("
        "select array_agg(coalesce(replaced.made, part.value) order by part.place) "
        "from unnest(stored.{column}) with ordinality as part (value, place) "
        "left join forgotten_values as replaced on part.value = replaced.value {same}"
        ") where stored.{column} && (select array_agg(value) from forgotten_values)"
        if kind == "text[]"
        else "update {table} as stored set {column} = replaced.made from forgotten_values as replaced "
        "where stored.{column} = replaced.value {same}"
    )
    return connection.execute(sql.SQL(statement).format(**names)).rowcount


def _with_tombstone(
    found: Persons, by_id: dict[str, list[Record]], column: str, value: str, place: dict[str, Any]
) -> str | None:
    """The value with the tombstone of the record that it names; None if it is the id of something else."""
    parts = re.split("([:|])", value)
    if len(parts) == 1 and column not in ID_COLUMNS:
        return None
    for number, part in enumerate(parts):
        records = by_id.get(part, [])
        fitting = [one for one in records if (_is_of(one, parts) if len(parts) > 1 else _fits(one, place))]
        if not fitting and len(parts) == 1 and (len(part) >= LONG_ID or place.get("person_key") in found.keys):
            # The row's system need not be that of the id: a lead that began at HubSpot has the id of Salesforce.
            fitting = records
        if fitting:
            parts[number] = FORGOTTEN + found.tombstone(fitting[0])
    made = "".join(parts)
    return None if made == value else made


def _is_of(record: Record, parts: list[str]) -> bool:
    """True if a key such as `hubspot:hubspot:contact:51` may be made of this record's id."""
    is_other = record.source != "files" and not _OTHER_KINDS.isdisjoint(parts)
    return not is_other and parts[0] in (record.source, record.connection_id)


def _fits(record: Record, place: dict[str, Any]) -> bool:
    """True if the other columns of a row do not say that its id is another record's."""
    system = place.get("source_system")
    own = record.connection_id if record.source == "files" else record.source
    if system is not None and system != own:
        return False
    if place.get("connection_id") not in (None, record.connection_id):
        return False
    kind = place.get("record_type")
    return kind is None or f"{kind}s" == record.kind


# Texts ---------------------------------------------------------------------------------------------------------------


def reduce_texts(
    connection: psycopg.Connection[Any], schemas: tuple[str, ...], found: Persons, tombstones: Tombstones
) -> Counts:
    """Replace addresses, and long vendor ids, in every text of these schemas: notes, reasons, undeclared fields."""
    counts: Counts = Counter()
    ids = {each.record_id: found.tombstone(each) for each in found.records if len(each.record_id) >= LONG_ID}
    # Salesforce writes ids with 15 or 18 characters.
    ids |= {each[:15]: key for each, key in ids.items() if len(each) == 18 and each.isalnum()}
    pattern = re.compile("|".join(sorted(map(re.escape, ids), key=len, reverse=True))) if ids else None

    def change(text: str) -> str:
        made = replace_addresses(text, tombstones)
        return pattern.sub(lambda hit: FORGOTTEN + ids[hit[0]], made) if pattern else made

    for schema, table, columns in _texts_of(connection, schemas):
        # What was built holds ids in columns of its own, see `reduce_built`; in raw rows they are in undeclared fields.
        searched = [name for name, kind in columns.items() if schema != "raw" or kind == "jsonb"]
        looked_up = sorted(ids) if schema not in BUILT else []
        counts[f"{schema}.{table}"] += _change_texts(
            connection, sql.Identifier(schema, table), columns, change, (searched, looked_up)
        )
    return +counts


def _texts_of(
    connection: psycopg.Connection[Any], schemas: tuple[str, ...]
) -> Iterator[tuple[str, str, dict[str, str]]]:
    for schema in schemas:
        for table in warehouse.tables(connection, schema):
            columns = warehouse.columns(connection, schema, table)
            texts = {
                name: kind
                for name, kind in columns.items()
                if kind.partition("(")[0] in _TEXTS and not kind.startswith("bytea")
            }
            if texts:
                yield schema, table, texts


def _change_texts(
    connection: psycopg.Connection[Any],
    table: sql.Identifier,
    columns: dict[str, str],
    change: Any,
    ids: tuple[list[str], list[str]],
) -> int:
    """Apply `change` to the texts of the rows that hold an address, or one of the ids in one of the columns given with
    them; returns the rows changed.
    """
    names = [sql.Identifier(name) for name in columns]
    condition: sql.Composable = sql.SQL(
        "{joined} like any({signs}) or greatest({lengths}) >= 64 and {joined} ~ '[0-9A-Fa-f]{{64}}'"
    ).format(
        joined=_joined(list(columns)),
        signs=sql.Literal(["%" + sign.replace("%", "\\%") + "%" for sign in SIGNS]),
        lengths=sql.SQL(", ").join(sql.SQL("octet_length({}::text)").format(name) for name in names),
    )
    if ids[0] and ids[1]:
        condition = sql.SQL(
            "({} or exists (select from regexp_matches({}, '[A-Za-z0-9]{{15,}}', 'g') as word where word[1] = any({})))"
        ).format(condition, _joined(ids[0]), sql.Literal(ids[1]))
    rows = connection.execute(
        sql.SQL("select ctid, {} from {} where {}").format(
            sql.SQL(", ").join(sql.SQL("{}::text").format(n) for n in names), table, condition
        )
    ).fetchall()
    assignments = sql.SQL(", ").join(
        sql.SQL("{} = %s::{}").format(name, sql.SQL(kind)) for name, kind in zip(names, columns.values(), strict=True)
    )
    updates = []
    for place, *texts in rows:
        made = [None if text is None else change(text) for text in texts]
        if made != texts:
            # Undeclared fields of a record that names the person may describe the person.
            made = [None if name == "_extra" else text for name, text in zip(columns, made, strict=True)]
            updates.append([*made, place])
    with connection.cursor() as cursor:
        cursor.executemany(sql.SQL("update {} set {} where ctid = %s").format(table, assignments), updates)
    return len(updates)


def _joined(columns: list[str]) -> sql.Composed:
    """All texts of a row as one."""
    return sql.SQL("concat_ws(chr(10), {})").format(
        sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in columns)
    )
