"""Line breaks inside quotes, at every boundary of blocks: the rows equal those of Python's reader on the whole text."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnel.inbox import records, separated
from funnel.inbox.errors import Refused

Rows = list[tuple[int, list[str | None]]]


def read(text: str, block_bytes: int, quote: str | None = None, delimiter: str | None = None) -> tuple[Rows, list[Any]]:
    """(line and cells of each row, bad rows), without empty rows."""
    data = text.encode()
    dialect = separated.sniff(data, "utf-8", delimiter, quote, None, set())
    before = records.BLOCK_BYTES
    records.BLOCK_BYTES = block_bytes
    try:
        blocks = list(records.read(io.BytesIO(data), dialect))
    finally:
        records.BLOCK_BYTES = before
    rows: Rows = []
    for block in blocks:
        columns = [block.columns[name].to_pylist() for name in dialect.headers]
        rows += [
            (line, list(cells)) for line, *cells in zip(block.lines.to_pylist(), *columns, strict=True) if any(cells)
        ]
    return rows, [bad for block in blocks for bad in block.bad]


def expected(text: str, delimiter: str = ",", quote: str = '"') -> Rows:
    """By Python's reader on the whole text; a row has the line on which its record begins."""
    reader = csv.reader(
        io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n"), newline=""),
        delimiter=delimiter,
        quotechar=quote,
    )
    rows: Rows = []
    before = 0
    for cells in reader:
        rows.append((before + 1, list(cells)))
        before = reader.line_num
    return [(line, cells) for line, cells in rows[1:] if any(cells)]


TEXT = (
    "id,stage,amount,note\n"
    'D1,won,100,"first line\nZ9,won,999999,x"\n'
    '"D\n2",won,"1\n0",""\n'
    'D3,"lost","","he said ""no""\n\n""Z8"",won,5,"\n'
    'D4,won,"7","é\nZ7,won,1,ü"\r\n'
    'D5,won,8,5" pipe\n'
    'D6,"won" deal,9,"a\rZ6,won,1,b"\n'
    'D7,won,10,"last\nline"'
)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_quoted_line_is_never_a_row_wherever_blocks_end(end: str) -> None:
    whole = expected(TEXT + end)
    assert [cells[0] for _, cells in whole] == ["D1", "D\n2", "D3", "D4", "D5", "D6", "D7"]
    for size in range(1, len((TEXT + end).encode()) + 2):
        assert read(TEXT + end, size) == (whole, [])


CELLS = st.text(st.sampled_from('a1"\n ,;é#'), max_size=12)


@given(
    st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=8),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.integers(1, 60),
)
def test_any_cells_come_back_in_blocks_of_any_size(cells: list[list[str]], quoting: Any, size: int) -> None:
    file = io.StringIO(newline="")
    writer = csv.writer(file, quoting=quoting, lineterminator="\n")
    writer.writerow(["one", "two", "three"])
    # A space before a quote means a quoted cell to us, so a cell that begins like this is quoted.
    writer.writerows([[cell.lstrip(" ") for cell in row] for row in cells])
    assert read(file.getvalue(), size, '"', ",") == (expected(file.getvalue()), [])


@pytest.mark.parametrize("size", [1, 7, 40, 10_000])
def test_a_quote_that_is_never_closed_costs_its_line_and_no_other_is_swallowed(size: int) -> None:
    text = 'id,note,amount\n1,"open,5\n2,"x",6\n3,"a\nb",7\n4,y,8\n'
    rows, bad = read(text, size)
    assert rows == [(3, ["2", "x", "6"]), (4, ["3", "a\nb", "7"]), (6, ["4", "y", "8"])]
    assert [(row.line, row.reason) for row in bad] == [(2, "a quote is opened and never closed")]


def test_a_note_of_many_lines_is_one_cell() -> None:
    note = "\n".join(f"Z{number},won,{number}" for number in range(5_000))
    rows, bad = read(f'id,stage,note\n1,won,"{note}"\n2,won,x\n', 4_096)
    assert rows == [(2, ["1", "won", note]), (5_002, ["2", "won", "x"])]
    assert bad == []


def test_spaces_around_quotes_are_not_part_of_a_cell() -> None:
    rows, bad = read('id, "name", amount\n1, "Acme, Inc" , 5\n2,  "a\nb", 6\n 3,c,7\n', 10)
    assert [(line, [(cell or "").strip() for cell in cells]) for line, cells in rows] == [
        (2, ["1", "Acme, Inc", "5"]),
        (3, ["2", "a\nb", "6"]),
        (5, ["3", "c", "7"]),
    ]
    assert bad == []


def test_a_header_may_hold_line_breaks() -> None:
    data = b'id,"Spend\n(USD)",note\n1,2,3\n'
    dialect = separated.sniff(data, None, None, None, None, {"Spend (USD)"})
    assert dialect.headers == ("id", "Spend (USD)", "note")
    (block,) = records.read(io.BytesIO(data), dialect)
    assert (block.lines.to_pylist(), block.columns["Spend (USD)"].to_pylist()) == ([3], ["2"])


@pytest.mark.parametrize("delimiter", [";", "\t", "|", "§", "^"])
def test_any_sign_separates_cells(delimiter: str) -> None:
    text = "one,two,three\n1,2,3\n4,5,6\n".replace(",", delimiter)
    assert read(text, 5, delimiter=delimiter)[0] == [(2, ["1", "2", "3"]), (3, ["4", "5", "6"])]


def test_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "LONGEST_LINE", 1 << 20)
    with pytest.raises(Refused, match="line 3 is longer than 1 million characters"):
        read("id,note\n1,a\n2," + "x" * (2 << 20), 64 << 10)
