"""`make inbox-check` shows exactly what loads, and no row and no amount is lost: tested on generated folders."""

import csv
import io
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from funnel import ledger
from funnel.contract import Connection, Window
from funnel.inbox import report
from funnel.ingest import landing, load
from funnel.sources import files

WINDOW = Window(date(2026, 11, 22), date(2026, 11, 23))
START = datetime(2026, 11, 23, 3, tzinfo=UTC)
# Entity: columns that identify a row, its measures, and whether rows with the same key are added up.
ENTITIES: dict[str, tuple[tuple[str, ...], tuple[str, ...], bool]] = {
    "ad_stats": (("date_day", "campaign_name"), ("impressions", "spend"), True),
    "costs": (("month", "team"), ("amount",), True),
    "payments": (("order_id", "payment_type"), ("amount",), True),
    "sell_through": (("week_start", "retailer", "product_id"), ("units_sold", "units_on_hand"), False),
    "opportunities": (("opportunity_id", "stage", "created_at"), ("amount",), False),
    "order_lines": (("order_id", "order_line"), ("amount", "units"), False),
}
FORMATS = ("csv", "semicolons", "tsv", "jsonl", "parquet", "xlsx")
DAYS = ("month", "week_start", "date_day", "created_at")
FAULTS = ("none", "equal", "repeat", "word", "unit", "currency", "empty", "total", "not a date", "error")


@dataclass
class Row:
    """A generated line: its cells as written in the file, and the measures that they mean."""

    cells: dict[str, str]
    measures: dict[str, Decimal]


def generated(chance: random.Random) -> tuple[str, str, list[Row]]:
    """(entity, format, rows) of one file."""
    entity, written = chance.choice(list(ENTITIES)), chance.choice(FORMATS)
    names, measures, _ = ENTITIES[entity]
    rows = [_row(chance, entity, names, measures, written) for _ in range(chance.randrange(3, 25))]
    for fault in chance.sample(FAULTS, chance.randrange(0, 4)):
        _spoil(chance, fault, rows, names, measures)
    return entity, written, rows


def _row(chance: random.Random, entity: str, names: tuple[str, ...], measures: tuple[str, ...], written: str) -> Row:
    day = date(2026, 1, 1) + timedelta(days=chance.randrange(300))
    cells = {}
    for name in names:
        if name in DAYS:
            cells[name] = day.isoformat()
        elif name == "stage":
            cells[name] = "won"
        else:
            cells[name] = f"{name[:4]} {chance.randrange(60)}"
    values = {
        name: Decimal(chance.randrange(1, 10**7))
        / (1 if name in ("impressions", "units_sold", "units_on_hand") else 100)
        for name in measures
    }
    comma = written == "semicolons"
    for name, value in values.items():
        text = f"{value:.2f}" if name not in ("impressions", "units_sold", "units_on_hand") else str(value)
        cells[name] = text.replace(".", ",") if comma else text
    return Row(cells, values)


def _spoil(
    chance: random.Random, fault: str, rows: list[Row], names: tuple[str, ...], measures: tuple[str, ...]
) -> None:
    one = chance.choice(rows)
    measure = measures[-1] if measures[-1] != "units_on_hand" else "units_sold"
    if fault == "equal":
        rows.append(Row(dict(one.cells), dict(one.measures)))
    elif fault == "repeat":
        other = chance.choice(rows)
        rows.append(Row({**other.cells, **{name: one.cells[name] for name in names}}, dict(other.measures)))
    elif fault == "total":
        label = next(name for name in reversed(names) if name not in ("stage", "created_at"))
        cells = {**one.cells, **dict.fromkeys(names, "")}
        if names[0] in DAYS:
            cells[names[0]] = one.cells[names[0]]
        rows.append(Row({**cells, label: "Total"}, dict(one.measures)))
    elif fault == "not a date":
        one.cells[names[0]] = "soon" if names[0] in DAYS else one.cells[names[0]]
    elif fault != "none":
        text = {"word": "n. a.", "unit": "5 M", "currency": "5 XYZ", "empty": "", "error": "#REF!"}[fault]
        one.cells[measure] = text
        if fault == "empty":
            one.measures[measure] = Decimal(0)


def write(folder: Path, written: str, rows: list[Row]) -> str:
    """Write the rows as a file of this format; returns its name."""
    header = list(rows[0].cells)
    table = [[row.cells[name] for name in header] for row in rows]
    if written in ("csv", "semicolons", "tsv"):
        name = "file.tsv" if written == "tsv" else "file.csv"
        out = io.StringIO()
        writer = csv.writer(out, delimiter={"csv": ",", "semicolons": ";", "tsv": "\t"}[written], lineterminator="\n")
        writer.writerows([header, *table])
        (folder / name).write_text(out.getvalue())
        return name
    if written == "jsonl":
        lines = (json.dumps(dict(zip(header, cells, strict=True))) for cells in table)
        (folder / "file.jsonl").write_text("\n".join(lines) + "\n")
        return "file.jsonl"
    if written == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({n: [row.cells[n] for row in rows] for n in header}), folder / "file.parquet")
        return "file.parquet"
    from openpyxl import Workbook

    book = Workbook()
    for cells in (header, *table):
        book.active.append(cells)
    book.save(folder / "file.xlsx")
    return "file.xlsx"


def expected(entity: str, rows: list[Row], quarantined: set[int], first_line: int) -> dict[str, Decimal]:
    """The sum of each measure over the loaded rows."""
    names, measures, adds = ENTITIES[entity]
    good = {number: row for number, row in enumerate(rows, start=first_line) if number not in quarantined}
    key = names[:1] if entity == "opportunities" else names
    kept = (
        list(good.values()) if adds else list({tuple(row.cells[n] for n in key): row for row in good.values()}.values())
    )
    return {name: sum((row.measures.get(name, Decimal(0)) for row in kept), Decimal(0)) for name in measures}


@pytest.fixture
def agree(warehouse: str, tmp_path: Path) -> Iterator[Callable[[int], None]]:
    """Check and load one generated folder, and compare."""
    ledger.migrate()
    with psycopg.connect(warehouse, autocommit=True) as connection:

        def run(seed: int) -> None:
            chance = random.Random(seed)
            entity, written, rows = generated(chance)
            source = f"folder_{seed}"
            folder = tmp_path / source
            folder.mkdir()
            name = write(folder, written, rows)
            key = "key: [order_id, payment_type], " if entity == "payments" else ""
            (folder / "m.yml").write_text(
                f"source: {source}\ncurrency: USD\nbad_rows: 1\nstreams: [{{entity: {entity}, {key}path: {name}}}]\n"
            )
            said: list[str] = []
            fine = report.check(str(folder), frozenset(), said.append)
            known = Connection(source, str(folder), extra={"known": {}})
            read = landing.land(files.SOURCE, known, files.SOURCE.stream(entity), WINDOW, source, START)
            result = load.load(read)
            _compare(connection, seed, entity, written, rows, said, fine, result, source)

        yield run


def _compare(
    connection: Any, seed: int, entity: str, written: str, rows: list[Row], said: list[str], fine: bool, result: Any,
    source: str,
) -> None:  # fmt: skip
    where = f"folder {seed}: {entity} as {written}\n" + "\n".join(said)
    assert fine == all(each["status"] == "loaded" for each in result.files), where
    if not fine:
        assert result.rows_loaded == 0, where
        return
    assert any(
        f"{result.rows_loaded:,} to load + {result.rows_quarantined:,} to quarantine" in line for line in said
    ), where
    assert result.rows_read == len(rows) == result.rows_loaded + result.rows_quarantined + result.rows_merged, where
    measures = ENTITIES[entity][1]
    sums = ", ".join(f"coalesce(sum({name}), 0)" for name in measures)
    query = f"select count(*), {sums} from raw.files__{entity} where _connection_id = %s"
    count, *found = connection.execute(query.encode(), (source,)).fetchone()
    lines = {
        line for (line,) in connection.execute("select line_no from ops.quarantine where connection_id = %s", (source,))
    }
    assert count == result.rows_loaded, where
    assert len(lines) == result.rows_quarantined, where
    first_line = 1 if written in ("jsonl", "parquet") else 2
    assert dict(zip(measures, found, strict=True)) == expected(entity, rows, lines, first_line), where


def test_two_hundred_folders_load_as_they_are_checked(agree: Callable[[int], None]) -> None:
    for seed in range(200):
        agree(seed)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_five_thousand_folders_load_as_they_are_checked(agree: Callable[[int], None]) -> None:
    for seed in range(200, 5_200):
        agree(seed)
