"""Tables with a column for each month or week: the proposal of `make new-manifest` loads every cell."""

from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from funnel.inbox import new_manifest

BUDGET = """Marketing budget 2026

Team,Cost type,Jan 2026,Feb 2026,Mar 2026,Apr 2026,Total
Marketing,Agency,"1,000.00",1200,900,800,3900
Marketing,Tools,300,300,300,300,1200
Sales,Travel,500,,700,650,1850
Total,,1800,1500,1900,1750,6950
"""
GERMAN = """Abteilung;Kostenart;Januar;Februar;März
Marketing;Agentur;1.000,00;1.200,00;900,50
Vertrieb;Reisen;500,00;0;7,00
"""
TARGETS = "Region,Metric,2026-01,2026-02,2026-03\nEMEA,won_amount,100,200,300\nAPAC,won_amount,50,60,70\n"
WEEKS = "Store,Product,UPC,01/05/2026,01/12/2026,01/19/2026\nS1,Kit,123,5,6,7\nS2,Kit,123,1,2,3\n"


def proposed(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of each stream of the proposed manifest."""
    assert new_manifest.make(str(folder), frozenset(), "USD", lambda text: None)
    return loaded(folder)


def loaded(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of all streams of a folder, by entity."""
    import pyarrow as pa

    from funnel.inbox import folder as inbox
    from funnel.inbox import intake

    opened = inbox.open_folder(str(folder))
    (manifest,), _ = inbox.find_manifests(opened, frozenset())
    found: dict[str, list[dict[str, Any]]] = {}
    for spec in manifest.streams:
        for info in inbox.files_of(opened, manifest, spec):
            outcome = intake.Outcome(info.path, spec.entity.name, "", info.size, info.modified_at)
            with inbox.fetched(opened, info) as source, intake.take(source, spec, outcome) as taken:
                for table in taken.tables:
                    with pa.ipc.open_stream(table) as batches:
                        rows = [{**row, **taken.constants} for batch in batches for row in batch.to_pylist()]
                    found.setdefault(spec.entity.name, []).extend(rows)
    return found


def test_a_budget_of_months_becomes_costs_of_each_month(tmp_path: Path) -> None:
    (tmp_path / "budget.csv").write_text(BUDGET)
    costs = proposed(tmp_path)["costs"]
    sums: Counter[str] = Counter()
    for row in costs:
        sums[row["month"]] += Decimal(row["amount"])  # type: ignore[assignment]
    assert sums == {"2026-01-01": 1800, "2026-02-01": 1500, "2026-03-01": 1900, "2026-04-01": 1750}
    assert {(row["team"], row["cost_type"]) for row in costs} == {
        ("Marketing", "Agency"), ("Marketing", "Tools"), ("Sales", "Travel"),
    }  # fmt: skip


def test_months_without_a_year_take_that_of_the_file_and_only_that_file(tmp_path: Path) -> None:
    (tmp_path / "Kosten_2026.csv").write_text(GERMAN)
    costs = proposed(tmp_path)["costs"]
    assert sum(Decimal(row["amount"]) for row in costs) == Decimal("3607.50")
    assert {row["month"] for row in costs} == {"2026-01-01", "2026-02-01", "2026-03-01"}
    (tmp_path / "Kosten_2027.csv").write_text(GERMAN)
    assert len(loaded(tmp_path)["costs"]) == len(costs), "next year's file has other months"


def test_targets_and_weeks_are_taken_apart_too(tmp_path: Path) -> None:
    (tmp_path / "targets.csv").write_text(TARGETS)
    (tmp_path / "weeks.csv").write_text(WEEKS)
    found = proposed(tmp_path)
    assert {(row["period_start"], row["region"]): row["target"] for row in found["targets"]} == {
        ("2026-01-01", "EMEA"): "100", ("2026-02-01", "EMEA"): "200", ("2026-03-01", "EMEA"): "300",
        ("2026-01-01", "APAC"): "50", ("2026-02-01", "APAC"): "60", ("2026-03-01", "APAC"): "70",
    }  # fmt: skip
    assert {(row["week_start"], row["store_id"]): row["units_sold"] for row in found["sell_through"]} == {
        ("2026-01-05", "S1"): "5", ("2026-01-12", "S1"): "6", ("2026-01-19", "S1"): "7",
        ("2026-01-05", "S2"): "1", ("2026-01-12", "S2"): "2", ("2026-01-19", "S2"): "3",
    }  # fmt: skip


def test_months_that_a_spreadsheet_holds_as_dates_are_months(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Costs"])
    book.active.append(["Team", "Channel", *(datetime(2026, month, 1) for month in (11, 12)), datetime(2027, 1, 1)])
    book.active.append(["Marketing", "Google", 100.5, 200, 300])
    book.active.append(["Marketing", "Meta", 10, None, 30])
    book.save(tmp_path / "costs.xlsx")
    costs = proposed(tmp_path)["costs"]
    assert {(row["month"], row["channel"]): Decimal(row["amount"]) for row in costs} == {
        ("2026-11-01", "Google"): Decimal("100.5"), ("2026-12-01", "Google"): 200, ("2027-01-01", "Google"): 300,
        ("2026-11-01", "Meta"): 10, ("2026-12-01", "Meta"): 0, ("2027-01-01", "Meta"): 30,
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "date,campaign_id,7d_click,1d_view,28d_click,spend\n2026-01-01,1,2,3,4,5\n2026-01-02,1,2,3,4,5\n",
        "Deal ID,Stage,Created,Amount,2024,2025,2026\nD1,won,2026-01-05,5,1,2,3\nD2,lost,2026-01-06,5,1,2,3\n",
    ],
)
def test_numbers_in_headers_make_no_table_wide(tmp_path: Path, text: str) -> None:
    (tmp_path / "export.csv").write_text(text)
    new_manifest.make(str(tmp_path), frozenset(), "USD", lambda text: None)
    written = next(tmp_path.glob("*.yml")).read_text()
    assert written.count("entity:") <= 2
