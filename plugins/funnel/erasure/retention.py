"""Retention: removes what is older than its setting, and records how much in ops.retention (ING-27).

Each kind is removed in one transaction, or file by file in an order that leaves nothing half-readable, so a run that
was killed is finished by the next one.
"""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from funnel import ledger, settings, warehouse
from funnel.ingest import landing
from funnel.ingest.restatement import MEMORY_DAYS

# A landed read without a manifest belongs to an attempt that was given up.
UNFINISHED_DAYS = 7
DETAILS = {
    "noted_values": "load_id in (select load_id from ops.loads where fetched_at < %s)",
    "day_changes": "fetched_at < %s",
    "held_back": "held_back_at < %s",
    "checks": "checked_at < %s and (build_id is null or build_id is distinct from "
    "(select build_id from ops.publication_in_effect))",
}


@dataclass
class Removed:
    """What one kind lost."""

    rows: int = 0
    files: int = 0
    size: int = 0
    oldest_kept: datetime | None = None


def enforce() -> dict[str, Removed]:
    """Remove everything that is older than its setting; returns what was removed, by kind. Loads and builds wait."""
    steps: dict[str, tuple[settings.Role, Callable[[psycopg.Connection[Any], datetime], Removed]]] = {
        "landed": ("loader", _remove_landed),
        "quarantine": ("loader", _remove_quarantine),
        "details": ("loader", _remove_details),
        "history": ("publisher", _remove_history),
        "logs": ("loader", _remove_logs),
    }
    found = {}
    with warehouse.connect("loader", autocommit=True) as lock:
        lock.execute("select pg_advisory_lock(%s)", (ledger.BUILD_LOCK,))
        for kind, (role, remove) in steps.items():
            days = _days(kind)
            if days is None:
                continue
            with warehouse.connect(role) as connection:
                removed = remove(connection, settings.now() - timedelta(days=days))
                if removed.rows or removed.files:
                    found[kind] = removed
                    connection.execute(
                        "insert into ops.retention "
                        "(kind, keep_days, rows_removed, files_removed, bytes_removed, oldest_kept) "
                        "values (%s, %s, %s, %s, %s, %s)",
                        (kind, days, removed.rows, removed.files, removed.size, removed.oldest_kept),
                    )
    return found


def _days(kind: str) -> int | None:
    """The setting of a kind. Raises ConfigurationError if a window or a roll-back would lose what it needs."""
    days = settings.retention_days(kind)
    least = {"details": MEMORY_DAYS + 30, "history": 30, "landed": 7}.get(kind, 1)
    if days is not None and days < least:
        raise settings.ConfigurationError(
            f"RETENTION_{kind.upper()}_DAYS is {days}, but must be at least {least}, or empty to keep everything "
            "(docs/privacy.md says what needs it)."
        )
    return days


def _remove_landed(connection: psycopg.Connection[Any], before: datetime) -> Removed:
    """Remove old reads, the manifest first: a folder without one is never loaded. `make replay` reports them."""
    removed = Removed()
    reads = list(landing.reads(damaged={}))
    for read in reads:
        if read.fetched_at < before:
            _remove_folder(landing.root() / read.path, removed)
    removed.oldest_kept = min((read.fetched_at for read in reads if read.fetched_at >= before), default=None)
    for folder in landing.root().glob("*/*/*/*/*/*"):
        age = time.time() - folder.stat().st_mtime
        if not (folder / landing.MANIFEST).exists() and age > UNFINISHED_DAYS * 86_400:
            _remove_folder(folder, removed)
    if removed.files:
        note = {"removed_before": before.isoformat(), "removed_at": settings.now().isoformat()}
        (landing.root() / landing.REMOVED).write_text(json.dumps(note))
    return removed


def _remove_folder(folder: Path, removed: Removed) -> None:
    for path in folder.iterdir():
        removed.files += 1
        removed.size += path.stat().st_size
    (folder / landing.MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(folder)


def _remove_quarantine(connection: psycopg.Connection[Any], before: datetime) -> Removed:
    """Remove the content of old unreadable rows; that there was one, and why, stays in ops.quarantine."""
    rows = connection.execute(
        "delete from raw.quarantine using ops.quarantine as noted "
        "where noted.quarantine_id = quarantine.quarantine_id and noted.first_seen_at < %s",
        (before,),
    ).rowcount
    return Removed(
        rows,
        oldest_kept=_oldest(
            connection, "select min(first_seen_at) from ops.quarantine inner join raw.quarantine using (quarantine_id)"
        ),
    )


def _remove_details(connection: psycopg.Connection[Any], before: datetime) -> Removed:
    removed = Removed()
    for table, condition in DETAILS.items():
        query = sql.SQL("delete from {} where " + condition).format(sql.Identifier("ops", table))  # noqa: S608 - a constant
        removed.rows += connection.execute(query, (before,)).rowcount
    removed.oldest_kept = _oldest(connection, "select min(checked_at) from ops.checks")
    return removed


def _remove_history(connection: psycopg.Connection[Any], before: datetime) -> Removed:
    """Remove rows that readers no longer saw after this time. A roll-back cannot go further back than that."""
    removed = Removed()
    ended = "select publication_id from ops.publications where published_at < %s"
    for table in warehouse.tables(connection, "bi_history"):
        query = sql.SQL("delete from {} where replaced_by in ({})").format(
            sql.Identifier("bi_history", table), sql.SQL(ended)
        )
        removed.rows += connection.execute(query, (before,)).rowcount
    if removed.rows:
        connection.execute("update ops.publications set previous_id = null where published_at < %s", (before,))
    removed.oldest_kept = _oldest(connection, "select min(published_at) from ops.publications where previous_id > 0")
    return removed


def _remove_logs(connection: psycopg.Connection[Any], before: datetime) -> Removed:
    removed = Removed()
    kept = []
    for path in (settings.read().home / "logs" / "tasks").rglob("*"):
        if path.is_file() and path.stat().st_mtime < before.timestamp():
            removed.files += 1
            removed.size += path.stat().st_size
            path.unlink()
        elif path.is_file():
            kept.append(path.stat().st_mtime)
    removed.oldest_kept = datetime.fromtimestamp(min(kept), before.tzinfo) if kept else None
    return removed


def _oldest(connection: psycopg.Connection[Any], query: str) -> datetime | None:
    row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None
