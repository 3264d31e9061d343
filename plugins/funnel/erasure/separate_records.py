"""The seed `separate_records`: a forgotten record that must not be merged is listed there by its id.

The id becomes the tombstone, as in `raw`, so that the record still matches and stays apart.
"""

import csv
import io
import os
from pathlib import Path

from funnel import settings
from funnel.erasure.persons import Persons, Record
from funnel.ingest.privacy import FORGOTTEN

PATH = settings.REPOSITORY / "dbt_project" / "seeds" / "separate_records.csv"


def reduce(found: Persons) -> list[str]:
    """Put tombstones in place of the ids of forgotten records; returns what the user must do if the file cannot be
    written: the number of each line and the new id.
    """
    rows = list(csv.reader(io.StringIO(PATH.read_text())))
    made = [[*row[:3], _reduced(found, row), *row[4:]] if len(row) > 3 else row for row in rows]
    changed = [number for number, (row, before) in enumerate(zip(made, rows, strict=True), start=1) if row != before]
    if not changed:
        return []
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(made)
    try:
        _write(PATH, text.getvalue())
    except OSError:
        return [f"write {made[number - 1][3]} as record_id in line {number} of {PATH}" for number in changed]
    return []


def _reduced(found: Persons, row: list[str]) -> str:
    system, connection_id, kind, record_id = row[:4]
    source = system if system in ("hubspot", "salesforce") else "files"
    record = Record(source, connection_id, f"{kind}s", record_id)
    return FORGOTTEN + found.tombstone(record) if record in found.records else record_id


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    try:
        temporary.write_text(text)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
