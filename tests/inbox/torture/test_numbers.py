"""Real-life exports: numbers in every notation."""

import pytest

from funnel.inbox import separated
from tests.inbox.conftest import STAGES, read_file
from tests.inbox.torture.samples import HEADER, rows_of


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("1.234,50", "1234.50"),
        ("R$ 435.000", "435000"),
        ("R$ 435.000,10", "435000.10"),
        ("-0,5", "-0.5"),
        ("(1.200,00)", "-1200.00"),
        ("1 234,5", "1234.5"),
        ("1\u00a0234,5 €", "1234.5"),
        ("+7", "7"),
        ("12,50-", "-12.50"),
        ("BRL 12,5", "12.5"),
    ],
)
def test_decimal_commas_are_read_as_written(written: str, number: str) -> None:
    read = read_file(f"id;stage;amount;created\n1;W;{written};2026-01-02\n2;W;1,5;2026-01-02\n")
    assert read.column("amount") == [number, "1.5"]
    assert read.outcome.settings["decimal"] == ","


@pytest.mark.parametrize(("early", "late"), [("2026-01-02", "2026-01-03"), ("03/04/2026", "25/06/2026")])
def test_the_last_row_may_say_how_the_first_ones_are_written(
    monkeypatch: pytest.MonkeyPatch, early: str, late: str
) -> None:
    """What the first block suggests, or leaves open, is decided by the whole file and applies to all rows."""
    monkeypatch.setattr(separated, "BLOCK_BYTES", 64)
    rows = "".join(f"{number};W;7;{early}\n" for number in range(1, 40))
    read = read_file(f"id;stage;amount;created\n{rows}40;W;1.234,5;{late}\n")
    assert read.counts == (40, 40, 0)
    assert set(read.column("created_on")[:39]) == {"2026-01-02" if early[0] == "2" else "2026-04-03"}
    assert read.column("amount")[38:] == ["7", "1234.5"]


def test_a_number_that_may_be_a_thousand_times_more_is_refused() -> None:
    read = read_file("id;stage;amount;created\n1;W;435.000;2026-01-02\n")
    assert read.refusal == (
        "'435.000' may be a thousand times more or less, and no number in the file decides it; "
        'state decimal: "." or decimal: ","'
    )
    assert read_file("id;stage;amount;created\n1;W;435.000;2026-01-02\n", decimal=",").column("amount") == ["435000"]
    assert read_file("id;stage;amount;created\n1;W;435.000;2026-01-02\n", decimal=".").column("amount") == ["435.000"]


@pytest.mark.parametrize("written", ["12.34.56", "1,23,4", "ten", "1e400", "NaN", "Infinity", "--", "1 2 3", "0x10"])
def test_a_text_instead_of_a_number_is_a_bad_row(written: str) -> None:
    read = read_file(f'{HEADER}{rows_of(9)}10,W,"{written}",2026-01-02\n11,W,1.5,2026-01-02\n', bad_rows=0.1)
    assert read.counts == (11, 10, 1)
    assert read.bad[0].startswith("line 11, amount: ")


def test_percentages_are_shares_by_the_column() -> None:
    columns = {"opportunity_id": "id", "stage": "stage", "probability": "p"}
    assert read_file("id,stage,p\n1,O,40\n2,O,1\n", columns=columns, map=STAGES).column("probability") == [
        "0.4",
        "0.01",
    ]
    assert read_file("id,stage,p\n1,O,0.4\n2,O,1\n", columns=columns, map=STAGES).column("probability") == ["0.4", "1"]
    assert read_file("id,stage,p\n1,O,40 %\n", columns=columns, map=STAGES).column("probability") == ["0.4"]
