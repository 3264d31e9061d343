"""Real-life exports: workbooks, Parquet and JSON lines."""

import io
import json
from datetime import date, datetime
from decimal import Decimal

from tests.inbox.conftest import read_file
from tests.inbox.torture.samples import workbook


def test_a_workbooks_cells_keep_their_types() -> None:
    content = workbook(
        [
            ["Pipeline"],
            ["id", "stage", "amount", "created"],
            [1001, "W", 1234.5, datetime(2026, 1, 2)],
            ["A2", "W", "R$ 435.000,00", date(2026, 1, 3)],
            ["A3", "W", "#REF!", datetime(2026, 1, 2, 10, 30)],
            [None, None, None, None],
            ["Total", "W", 1, None],
        ]
    )
    read = read_file(content, name="deals.xlsx", bad_rows=0.5)
    assert read.counts == (4, 2, 2)
    assert read.column("opportunity_id") == ["1001", "A2"]
    assert read.column("amount") == ["1234.5", "435000.00"]
    assert read.column("created_on") == ["2026-01-02", "2026-01-03"]
    assert read.bad == [
        "line 5, amount: holds a spreadsheet's error",
        "line 7, opportunity_id: is a total, not a record",
    ]


def test_a_damaged_workbook_is_refused() -> None:
    content = workbook([["id", "stage", "amount", "created"], [1, "W", 1, "2026-01-02"]])
    refused = read_file(content[: len(content) // 2], name="deals.xlsx")
    assert refused.refusal is not None
    assert "not a workbook" in refused.refusal


def test_parquet_is_read_with_its_types() -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "id": [1, 2],
            "stage": ["W", "nonsense"],
            "amount": [Decimal("1234.50"), Decimal("1.00")],
            "created": pa.array([datetime(2026, 1, 2), datetime(2026, 1, 2, 10)], pa.timestamp("us")),
        }
    )
    content = io.BytesIO()
    pq.write_table(table, content)
    read = read_file(content.getvalue(), name="deals.parquet", bad_rows=0.5)
    assert read.counts == (2, 1, 1)
    assert (read.rows[0]["opportunity_id"], read.rows[0]["amount"], read.rows[0]["created_on"]) == (
        "1",
        "1234.50",
        "2026-01-02",
    )


def test_json_lines_are_read_and_broken_ones_are_bad_rows() -> None:
    lines = [
        json.dumps({"id": "1", "stage": "W", "amount": 1.5, "created": "2026-01-02", "owner": {"name": "x"}}),
        '{"id": "2", "stage": "W", "amo',
        "",
        "[1, 2]",
        json.dumps({"id": "3", "stage": "L", "created": "2026-01-02"}),
    ]
    read = read_file("\n".join(lines), name="deals.jsonl", bad_rows=0.5)
    assert read.counts == (4, 2, 2)
    assert read.bad == ["line 2: is not JSON", "line 4: is not a JSON object"]
    assert read.column("amount") == ["1.5", None]
