"""All kinds of faulty files: what the inbox does, and that no row is lost.

Here the files are the vendor, so the faults are in files. The results are printed as a table at the end of the test
run.
"""

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.inbox.conftest import read_file
from tests.inbox.torture.samples import HEADER, interchange, rows_of

REFUSES, QUARANTINES, LOADS = "refuses the file", "quarantines the row", "loads all rows"
ROWS = 40


@dataclass(frozen=True)
class Case:
    """A changed file, the number of its valid rows, and the expected reaction of the inbox."""

    fault: str
    content: str | bytes
    does: str
    good: int = ROWS
    name: str = "deals.csv"
    settings: tuple[tuple[str, Any], ...] = ()


WHOLE = HEADER + rows_of(ROWS)
CASES = (
    Case("as it should be", WHOLE, LOADS),
    Case("cut in the middle of a row", WHOLE + "41,W", QUARANTINES),
    Case("compressed and cut", gzip.compress(WHOLE.encode())[:-20], REFUSES, 0, "deals.csv.gz"),
    Case("empty", "", REFUSES, 0),
    Case("new column", WHOLE.replace(",created\n", ",created,owner\n").replace("-02\n", "-02,x\n"), LOADS),
    Case("missing column", WHOLE.replace("amount", "value"), REFUSES, 0),
    Case("columns in another order", "created,id,stage,amount\n2026-01-02,1,W,5\n", LOADS, 1),
    Case("retyped column", WHOLE.replace(",W,", ",W,about "), REFUSES, 0),
    Case("one cell retyped", WHOLE + "41,W,ten,2026-01-02\n", QUARANTINES),
    Case("dates written otherwise", WHOLE.replace("2026-01-02", "01/02/2026"), REFUSES, 0),
    Case("numbers written otherwise", HEADER + '1,W,"1.234,50",2026-01-02\n', LOADS, 1),
    Case("another encoding", WHOLE.replace("1,W", "ä,W", 1).encode("cp1252"), LOADS),
    Case("HTML instead of CSV", "<html><body>Sign in</body></html>\n", REFUSES, 0),
    Case("a page of HTML as a workbook", "<html></html>", REFUSES, 0, "deals.xlsx"),
    Case("the same row twice", WHOLE + "1,W,1,2026-01-02\n", LOADS, ROWS + 1),
    Case("one key, two values", WHOLE + "1,W,99,2026-01-02\n", QUARANTINES),
    Case("total at the end", WHOLE + "Total,W,820,\n", QUARANTINES),
    Case("a stage nobody mapped", WHOLE + "41,On hold,1,2026-01-02\n", QUARANTINES),
    Case(
        "852 that lost a line",
        interchange().replace("LIN**UP*012345678912~\n", ""),
        REFUSES,
        0,
        "pos.x12",
        (("entity", "sell_through"), ("columns", None)),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fault)
def test_nothing_is_lost(case: Case, record_property: Callable[[str, object], None]) -> None:
    read = read_file(case.content, name=case.name, **dict(case.settings))
    does = REFUSES if read.refusal else QUARANTINES if read.bad else LOADS
    lost = read.outcome.rows_read - read.outcome.rows_loaded - read.outcome.rows_quarantined - read.outcome.rows_merged
    record_property("outcome", ["files", case.fault, does, 0 if read.refusal else lost])
    assert does == case.does, read.refusal or read.bad
    merged = read.outcome.rows_merged
    assert len(read.rows) + merged == case.good
    assert read.refusal or lost == 0
