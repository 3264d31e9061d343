"""`make forget`: forgets persons in every place of this installation, and prints a receipt without personal data.

The warehouse and the landed files are done by `funnel.erasure`; here follow the databases of Airflow and Superset, the
caches of dashboards, logs and other files of FUNNEL_HOME. Files of the inbox belong to the user: those that still hold
a person are named, not changed. So are backups.
"""

import gzip
import json
import re
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from funnel import settings
from funnel.erasure import forgetting, stored_rows
from funnel.erasure.persons import Persons
from funnel.ingest import written_addresses
from funnel.ingest.tombstones import Tombstones
from installation import databases

# Folders of FUNNEL_HOME that are not searched as text: landed files and the server are done by other means.
ELSEWHERE = ("landing", "postgres", "inbox")
LARGEST_INBOX_FILE = 500_000_000


def run() -> None:
    """Read addresses and vendor ids from standard input, one a line, forget these persons and print the receipt."""
    if sys.stdin.isatty():
        print("Addresses or vendor ids, one a line; end with Ctrl-D:", file=sys.stderr)
    lines = sys.stdin.read().splitlines()
    receipt, found, tombstones = forgetting.forget(lines)
    search = Search(found, tombstones)
    receipt.places["other_databases"] = _other_databases(found, tombstones)
    receipt.places["dashboard_cache_files"] = empty_caches()
    receipt.places["files_masked"] = _mask_files(search)
    receipt.places["inbox_files"] = _inbox_files(search)
    receipt.places["backups"] = backups()
    forgetting.close(receipt)
    print(_text(receipt))


def _text(receipt: forgetting.Receipt) -> str:
    done = receipt.as_json()
    rows, landed = sum(receipt.rows.values()), receipt.landed
    lines = [
        f"receipt {receipt.forgetting_id} (kept in ops.forgettings)",
        f"  {receipt.lines_given} lines, {receipt.records_found} records of these persons",
        f"  {rows} rows reduced in {len(receipt.rows)} tables; {done['tables_rewritten']} tables written again",
        f"  {landed['files_rewritten']} landed files of {landed['reads_rewritten']} reads written again",
        f"  {sum(done['other_databases'].values())} rows in the databases of Airflow and Superset, "
        f"{done['dashboard_cache_files']} cached results, {done['files_masked']} logs and other files",
        f"  write-ahead log of the server: {done['write_ahead_log']}",
    ]
    for number in receipt.unknown_lines:
        lines.append(f"  line {number}: no record has this id; written as salesforce.leads:<id> it would be kept out")
    for path in landed["reads_not_readable"]:
        lines.append(f"  not readable, so not changed: landing/{path}")
    for advice in done["left_to_do"]:
        lines.append(f"  the record must stay separate, and the file cannot be written: {advice}")
    for name in done["inbox_files"]:
        lines.append(f"  your file still holds a person: {name}")
    for backup in done["backups"]:
        lines.append(f"  a backup still holds them: {backup['at']}, {backup['destination']}")
    return "\n".join(lines)


class Search:
    """Finds the persons in the bytes of a file: addresses in any form, and long vendor ids."""

    def __init__(self, found: Persons, tombstones: Tombstones) -> None:
        self.tombstones = tombstones
        long = {one.record_id[:15].encode() for one in found.records if len(one.record_id) >= stored_rows.LONG_ID}
        self.ids = re.compile(b"|".join(map(re.escape, sorted(long)))) if long else None

    def hits(self, content: bytes) -> Iterator[tuple[int, int]]:
        """Start and end of each place that names a person."""
        if written_addresses.may_hold(content, self.tombstones):
            text = content.decode("utf-8", "surrogateescape")
            for start, end, _ in written_addresses.find(text, self.tombstones):
                first = len(text[:start].encode("utf-8", "surrogateescape"))
                yield first, first + len(text[start:end].encode("utf-8", "surrogateescape"))
        if self.ids:
            yield from (match.span() for match in self.ids.finditer(content))


def _other_databases(found: Persons, tombstones: Tombstones) -> dict[str, int]:
    """Replace addresses and long ids in Airflow's and Superset's databases; returns the rows by table."""
    counts: dict[str, int] = {}
    for name, dsn in databases.other_dsns().items():
        try:
            with psycopg.connect(dsn, autocommit=True) as connection:
                with connection.transaction():
                    changed = stored_rows.reduce_texts(connection, ("public",), found, tombstones)
                for table in changed:
                    schema, _, relation = table.partition(".")
                    connection.execute(sql.SQL("vacuum full {}").format(sql.Identifier(schema, relation)))
                counts |= {f"{name}.{table}": rows for table, rows in changed.items()}
        except psycopg.OperationalError as error:
            if "does not exist" not in str(error):
                raise
    return counts


def empty_caches() -> int:
    """Delete the cached results of charts, which are made again; returns the number of files."""
    folder = settings.read().home / "superset" / "cache"
    files = sum(1 for path in folder.rglob("*") if path.is_file())
    for child in folder.glob("*"):
        shutil.rmtree(child, ignore_errors=True)
    return files


def _mask_files(search: Search) -> int:
    """Overwrite what is found in logs and other files of FUNNEL_HOME, in place and of the same length, since a process
    may append to them; returns the number of files.
    """
    masked = 0
    for path in _files_of(settings.read().home):
        if hits := list(search.hits(path.read_bytes())):
            masked += 1
            with path.open("r+b") as file:
                for start, end in hits:
                    file.seek(start)
                    file.write(b"x" * (end - start))
    return masked


def _files_of(home: Path) -> Iterator[Path]:
    inbox = settings.read().inbox
    for path in sorted(home.rglob("*")):
        inside = path.relative_to(home).parts[0]
        if inside in ELSEWHERE or path.is_symlink() or not path.is_file():
            continue
        if "://" not in inbox and path.is_relative_to(inbox):
            continue
        yield path


def _inbox_files(search: Search) -> list[str]:
    """The names of the files in the inbox that hold one of the persons; archives and workbooks are opened."""
    inbox = settings.read().inbox
    if "://" in inbox:
        return [f"{inbox}: not searched, since it is not a local folder"]
    found = []
    for path in sorted(Path(inbox).rglob("*")):
        if path.is_file() and any(any(search.hits(content)) for content in _contents(path)):
            found.append(str(path.relative_to(inbox)))
    return found


def _contents(path: Path) -> Iterator[bytes]:
    if path.stat().st_size > LARGEST_INBOX_FILE:
        return
    content = path.read_bytes()
    yield content
    try:
        if content.startswith(b"\x1f\x8b"):
            yield gzip.decompress(content)
        elif content.startswith(b"PK"):
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    yield archive.read(name)
    except (OSError, EOFError, zipfile.BadZipFile):
        return


def backups() -> list[dict[str, Any]]:
    """The backups of this installation, each with its time and place: they hold what was there before."""
    try:
        lines = (settings.read().home / "backups.jsonl").read_text().splitlines()
    except FileNotFoundError:
        return []
    found = [json.loads(line) for line in lines if line.strip()]
    return [{"at": one.get("at"), "destination": one.get("destination")} for one in found]
