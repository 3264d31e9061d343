"""`make new-manifest` on folders of exports: the right entities and columns, and every total, without an edit."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from funnel.inbox import folder as inbox
from funnel.inbox import intake, manifest, new_manifest, report
from tests.inbox import exports


def make(directory: Path) -> tuple[manifest.Manifest, str]:
    """Propose a manifest for a folder; the manifest and what was printed."""
    told: list[str] = []
    new_manifest.make(str(directory), frozenset(), "USD", told.append)
    (path,) = directory.glob("*.yml")
    return manifest.parse(path.read_bytes(), path.name), "\n".join(told)


def loaded(directory: Path, made: manifest.Manifest) -> dict[str, list[dict[str, Any]]]:
    """All rows as they would load, by entity."""
    folder = inbox.open_folder(str(directory))
    rows: dict[str, list[dict[str, Any]]] = {}
    for spec in made.streams:
        for info in inbox.files_of(folder, made, spec):
            outcome = intake.Outcome(info.path, spec.entity.name, "", info.size, None)
            with inbox.fetched(folder, info) as source, intake.take(source, spec, outcome) as taken:
                for table in taken.tables:
                    for batch in pa.ipc.open_stream(table):
                        rows.setdefault(spec.entity.name, []).extend(
                            {**row, **taken.constants} for row in batch.to_pylist()
                        )
    return rows


def total(rows: list[dict[str, Any]], name: str) -> Decimal:
    return sum((Decimal(row[name]) for row in rows if row.get(name) is not None), Decimal(0))


def check(directory: Path, expected: exports.Expected) -> None:
    """The proposed manifest gives exactly what the folder says."""
    made, _ = make(directory)
    assert report.check(str(directory), frozenset(), lambda text: None), "inbox-check refuses something"
    assert {spec.entity.name for spec in made.streams} == set(expected)
    rows = loaded(directory, made)
    for entity, wanted in expected.items():
        got = rows[entity]
        keys = {row["row_key"] for row in got}
        assert len(keys) == wanted["rows"], f"{entity}: {len(keys)} rows"
        filled = {name for row in got for name, value in row.items() if value is not None}
        filled |= {name.removesuffix("_on") + "_at" for name in filled}
        assert wanted.get("needs", set()) <= filled, f"{entity} lacks {wanted['needs'] - filled}"
        if "currency" in wanted:
            assert {row.get("currency_code") for row in got} == wanted["currency"]
        for name, value in wanted.get("constants", {}).items():
            assert {row.get(name) for row in got} == {value}
        if "won" in wanted:
            assert sum(row["stage"] == "won" for row in got) == wanted["won"]
        if "paid" in wanted:
            assert sum(row["status"] == "paid" for row in got) == wanted["paid"]
        if "streams" in wanted:
            assert sum(spec.entity.name == entity for spec in made.streams) == wanted["streams"]
        for name in set(wanted) - {"rows", "needs", "currency", "constants", "won", "paid", "streams"}:
            assert total(got, name) == wanted[name], f"{entity}.{name}"


@pytest.mark.parametrize("name", exports.FOLDERS)
def test_the_proposed_manifest_loads_all_of_a_folder(name: str, tmp_path: Path) -> None:
    check(tmp_path, exports.FOLDERS[name](tmp_path))
