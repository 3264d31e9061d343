"""Real-life exports: lines, letters, quotes and headers."""

import gzip

import pytest

from tests.inbox.conftest import read_file
from tests.inbox.torture.samples import HEADER, rows_of


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_any_line_end_ends_a_line(ending: str) -> None:
    read = read_file((HEADER + rows_of(3) + "4,W,x,2026-01-02\n").replace("\n", ending), bad_rows=0.5)
    assert read.counts == (4, 3, 1)
    assert read.bad == ["line 5, amount: is not a number"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252", "utf-8"])
def test_letters_survive_any_encoding(encoding: str) -> None:
    read = read_file((HEADER + "São Tomé,W,10,2026-01-02\n").encode(encoding))
    assert read.column("opportunity_id") == ["São Tomé"]


def test_a_wrong_encoding_costs_its_rows_not_the_file() -> None:
    content = (HEADER + rows_of(9) + "São,W,10,2026-01-02\n").encode("cp1252")
    read = read_file(content, encoding="utf-8", bad_rows=0.1)
    assert read.counts == (10, 9, 1)
    assert read.bad == ["line 11, opportunity_id: holds characters that are not in the file's encoding"]


def test_letters_that_are_not_utf8_far_down_are_found() -> None:
    content = (HEADER + rows_of(30_000) + "São,W,10,2026-01-02\n").encode("cp1252")
    read = read_file(content)
    assert read.counts == (30_001, 30_001, 0)
    assert read.rows[-1]["opportunity_id"] == "São"


def test_blank_lines_and_spaces_in_headers_are_nothing() -> None:
    read = read_file("\n id , stage,amount ,created\n\n1,W,10,2026-01-02\n,,,\n\n   ,,,\n2,W,10,2026-01-02\n\n")
    assert read.counts == (2, 2, 0)


def test_lines_above_the_header_are_not_rows() -> None:
    read = read_file("Pipeline of November\n\nid;stage;amount;created\n1;W;1;2026-01-02\n")
    assert read.counts == (1, 1, 0)
    assert read.outcome.settings["header"] == 3


def test_a_line_break_in_quotes_is_part_of_its_cell() -> None:
    read = read_file(HEADER + '"a\nb",W,10,2026-01-02\n2,W,x,2026-01-02\n', bad_rows=0.5)
    assert read.column("opportunity_id") == ["a\nb"]
    assert read.bad == ["line 4, amount: is not a number"]


def test_a_quote_that_is_never_closed_costs_its_own_line_only() -> None:
    read = read_file(HEADER + '1,"W,10,2026-01-02\n' + rows_of(20), bad_rows=0.1)
    assert read.counts == (21, 20, 1)
    assert read.bad == ["line 2: a quote is opened and never closed"]


def test_rows_of_another_width_are_bad_and_trailing_separators_are_not() -> None:
    read = read_file(HEADER + "1,W\n2,W,1,2026-01-02,,\n3,W,1,2026-01-02,x\n4,W,1,2026-01-02\n", bad_rows=0.5)
    assert read.column("opportunity_id") == ["2", "4"]
    assert read.bad == [
        "line 2: the line has 2 cells, the header 4",
        "line 4: the line has 5 cells, the header 4",
    ]


def test_a_file_that_ends_in_the_middle_of_a_row_keeps_the_rows_before() -> None:
    read = read_file(HEADER + rows_of(20) + "21,W", bad_rows=0.1)
    assert read.counts == (21, 20, 1)


def test_a_compressed_file_that_was_cut_short_is_refused() -> None:
    whole = gzip.compress((HEADER + rows_of(5000)).encode())
    assert read_file(whole, name="deals.csv.gz").counts == (5000, 5000, 0)
    cut = read_file(whole[: len(whole) // 2], name="deals.csv.gz")
    assert cut.refusal == "the compressed file is cut short or damaged; send it again"
    assert cut.counts == (0, 0, 0)


def test_an_empty_file_is_refused_and_a_header_alone_has_no_rows() -> None:
    assert read_file("").refusal == "the file is empty: it has no header"
    assert read_file(HEADER).counts == (0, 0, 0)
