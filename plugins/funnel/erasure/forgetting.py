"""Forgetting: takes persons out of the warehouse and the landed files, and keeps them out (ING-26).

One transaction writes the tombstones and reduces every row; readers see all of it or nothing. Then landed files are
written again, and the touched tables, so that no free space of a page holds old rows. Each step can be repeated: run
again with the same lines, a command that was killed ends with the same data. Loads and builds wait meanwhile.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from funnel import ledger, warehouse
from funnel.contract import raw_table
from funnel.erasure import landed_reads, persons, separate_records, stored_rows
from funnel.erasure.persons import Persons
from funnel.ingest import privacy, tombstones
from funnel.ingest.tombstones import Tombstones

log = logging.getLogger(__name__)


@dataclass
class Receipt:
    """What was removed, by place. It holds no personal data: rows and files as numbers, places by name."""

    forgetting_id: int
    lines_given: int
    records_found: int = 0
    unknown_lines: list[int] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    landed: dict[str, Any] = field(default_factory=dict)
    places: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The receipt as it is kept in ops.forgettings."""
        return {
            "records_found": self.records_found,
            "lines_without_a_record": self.unknown_lines,
            "rows": self.rows,
            "landed": self.landed,
            **self.places,
        }


def forget(lines: list[str]) -> tuple[Receipt, Persons, Tombstones]:
    """Forget the persons of these lines in the warehouse and the landed files; without a line, those who were forgotten
    before, whose rows an older backup may have brought back. Raises ForgetRefused before anything is changed.
    """
    with _locked() as connection:
        secret = privacy.person_key_secret()
        _refuse_other_key(connection, secret)
        with connection.transaction():
            known = tombstones.read(connection, secret)
            found = persons.find(connection, lines, known)
            receipt = _open(connection, lines, found)
            _write_tombstones(connection, {*known.rows, *found.tombstones()})
            known = tombstones.read(connection, secret)
            counts = stored_rows.reduce_raw(connection, found, known)
            counts += stored_rows.reduce_quarantine(connection, known)
            counts += stored_rows.reduce_built(connection, found)
            counts += stored_rows.reduce_texts(connection, stored_rows.SCHEMAS, found, known)
            receipt.rows = dict(sorted(counts.items()))
        tombstones.write_landed(connection, secret)
        receipt.places["left_to_do"] = separate_records.reduce(found)
        landed = landed_reads.rewrite(connection, landed_reads.without(known))
        receipt.landed = {
            "reads": landed.reads,
            "reads_rewritten": landed.rewritten,
            "files_rewritten": landed.files,
            "reads_not_readable": sorted(landed.damaged),
        }
        receipt.places["tables_rewritten"] = rewrite_tables(connection, counts)
        receipt.places["write_ahead_log"] = recycle_log(connection)
        return receipt, found, known


def close(receipt: Receipt) -> None:
    """Store the receipt, after all places are done."""
    with warehouse.connect("admin") as connection:
        connection.execute(
            "update ops.forgettings set receipt = %s, finished_at = clock_timestamp() where forgetting_id = %s",
            (Jsonb(receipt.as_json()), receipt.forgetting_id),
        )


@contextmanager
def _locked() -> Iterator[psycopg.Connection[Any]]:
    """A connection of the administrator with the build lock: no load and no build runs meanwhile."""
    with warehouse.connect("admin", autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s)", (ledger.BUILD_LOCK,))
        yield connection


def _refuse_other_key(connection: psycopg.Connection[Any], secret: bytes) -> None:
    from funnel.erasure.errors import ForgetRefused

    row = connection.execute("select person_key_fingerprint from ops.installation").fetchone()
    if row and row[0] not in (None, privacy.fingerprint(secret)):
        raise ForgetRefused(
            "PERSON_KEY_SECRET is not the key that this warehouse was loaded with, so that persons cannot be found. "
            "Nothing was forgotten. Restore the key."
        )


def _open(connection: psycopg.Connection[Any], lines: list[str], found: Persons) -> Receipt:
    given = sum(1 for line in lines if line.strip())
    row = connection.execute(
        "insert into ops.forgettings (lines_given, persons_found) values (%s, %s) returning forgetting_id",
        (given, len(found.records)),
    ).fetchone()
    receipt = Receipt(row[0] if row else 0, given, len(found.records))
    receipt.unknown_lines = list(found.unknown_lines)
    return receipt


def _write_tombstones(connection: psycopg.Connection[Any], found: Iterable[tuple[str, str, str, str]]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into privacy.tombstones (tombstone, source, connection_id, kind) values (%s, %s, %s, %s) "
            "on conflict (tombstone) do nothing",
            sorted(found),
        )


# Old rows in the files of the server --------------------------------------------------------------------------------


def rewrite_tables(connection: psycopg.Connection[Any], counts: Iterable[str]) -> int:
    """Write every table again that held persons, so that nothing is left of old rows; returns their number.

    Also those that this run did not change: a run before may have been killed after its transaction.
    """
    holding = {f"raw.{raw_table(source, stream)}" for source, stream in persons.streams_of_persons()}
    holding |= {"raw.quarantine", "ops.quarantine", *counts}
    for schema in stored_rows.BUILT:
        for table in warehouse.tables(connection, schema):
            columns = warehouse.columns(connection, schema, table)
            if {"touch_id", "event_id", "identifiers", *stored_rows.ID_COLUMNS} & columns.keys():
                holding.add(f"{schema}.{table}")
    names = [name.split(".", 1) for name in sorted(holding)]
    existing = [(schema, table) for schema, table in names if warehouse.has_table(connection, schema, table)]
    for schema, table in existing:
        connection.execute(sql.SQL("vacuum (full, analyze) {}").format(sql.Identifier(schema, table)))
    # The statistics of the planner hold common values of columns.
    _as_superuser(connection, "vacuum full pg_catalog.pg_statistic")
    return len(existing)


def recycle_log(connection: psycopg.Connection[Any]) -> str:
    """Remove finished files of the write-ahead log, where the administrator may; returns what was done."""
    done = _as_superuser(connection, "alter system set wal_recycle = off")
    if not done:
        return "left to the server: its administrator is not a superuser"
    for statement in (
        "select pg_reload_conf()",
        "select pg_sleep(0.2)",
        "select pg_switch_wal()",
        "checkpoint",
        "select pg_switch_wal()",
        "checkpoint",
        "alter system reset wal_recycle",
        "select pg_reload_conf()",
    ):
        _as_superuser(connection, statement)
    return "finished files removed"


def _as_superuser(connection: psycopg.Connection[Any], statement: str) -> bool:
    try:
        connection.execute(statement.encode())
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported) as error:
        log.warning("%s: %s", statement, error)
        return False
    return True
