"""Real-life exports: rows that are totals, repeated, wrong or too many."""

import pytest

from tests.inbox.conftest import read_file
from tests.inbox.torture.samples import HEADER, rows_of


def test_a_total_row_is_not_a_record() -> None:
    read = read_file("id,stage,amount,created\n1,W,10,2026-01-02\nGrand Total,W,10,2026-01-02\n", bad_rows=0.5)
    assert read.counts == (2, 1, 1)
    assert read.bad == ["line 3, opportunity_id: is a total, not a record"]


def test_of_two_rows_with_one_key_the_last_counts_and_the_first_is_reported() -> None:
    read = read_file(HEADER + "1,W,10,2026-01-02\n2,W,5,2026-01-02\n1,W,11,2026-01-02\n", bad_rows=0.5)
    assert read.counts == (3, 2, 1)
    assert sorted(read.column("amount")) == ["11", "5"]
    assert read.bad == [
        "line 2, key: line 4 has the same opportunity_id (the key of opportunities) and other values; the last one "
        "counts (repeats: add counts both)"
    ]


def test_the_same_row_twice_is_taken_once_and_counted() -> None:
    read = read_file(HEADER + "1,W,10,2026-01-02\n1,W,10,2026-01-02\n")
    assert read.counts == (2, 1, 0)
    assert read.outcome.rows_merged == 1


@pytest.mark.parametrize("error", ["#REF!", "#DIV/0!", "#N/A", "#NAME?", "#VALUE!"])
def test_a_formulas_error_is_a_bad_row(error: str) -> None:
    read = read_file(HEADER + f"1,W,{error},2026-01-02\n{error},W,1,2026-01-02\n2,W,1,2026-01-02\n", bad_rows=0.7)
    assert read.counts == (3, 1, 2)
    assert read.bad == [
        "line 2, amount: holds a spreadsheet's error",
        "line 3, opportunity_id: holds a spreadsheet's error",
    ]


def test_a_stage_that_is_not_ours_is_a_bad_row() -> None:
    read = read_file(HEADER + "1,Closed Won,10,2026-01-02\n2,W,1,2026-01-02\n", bad_rows=0.5)
    assert read.bad == [
        "line 2, stage: is not one of our stages (opportunity, won, lost); name it in the manifest's map",
    ]


def test_ten_percent_of_bad_rows_refuse_the_file_with_the_first_ten_reasons() -> None:
    bad = "".join(f"b{number},W,bad,2026-01-02\n" for number in range(100))
    content = HEADER + rows_of(900) + bad
    refused = read_file(content)
    assert refused.refusal == (
        "100 of 1000 rows are bad, more than the share of 0.05 that the manifest allows (bad_rows)"
    )
    assert refused.bad == [f"line {number}, amount: is not a number" for number in range(902, 912)]
    assert (refused.outcome.rows_loaded, refused.outcome.status) == (0, "refused")
    accepted = read_file(content, bad_rows=0.1)
    assert accepted.counts == (1000, 900, 100)


def test_reasons_never_say_what_a_cell_says() -> None:
    read = read_file(HEADER + "1,W,ann@example.com,2026-01-02\n2,W,1,ben@example.com\n", bad_rows=1)
    assert read.counts == (2, 0, 2)
    assert "@" not in "".join(read.bad)
