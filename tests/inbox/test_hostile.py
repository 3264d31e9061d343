"""Files that unpack to more than they seem, and files without tables: refused plainly, fast and with little memory."""

import gzip
import io
import json
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from funnel.inbox import bounds, records, report
from tests.inbox.conftest import Read, read_file

HEADER = "id,stage,amount,created\n"


def refusal(content: bytes | str, name: str, **settings: Any) -> str:
    read: Read = read_file(content, name, **settings)
    assert read.counts == (0, 0, 0) or read.refusal
    return read.refusal or "loaded"


def test_a_gzip_file_of_one_endless_line_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "LONGEST_LINE", 1 << 20)
    content = gzip.compress(HEADER.encode() + b"1,W," + b"9" * (8 << 20))
    assert refusal(content, "deals.csv.gz") == (
        "line 2 is longer than 1 million characters; a table has a line for each row"
    )


def test_a_file_that_grows_beyond_measure_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "FREE_GROWTH", 1 << 20)
    content = gzip.compress(HEADER.encode() + b"1,W,10,2026-01-02\n" * 200_000)
    assert "holds more than 2 MB, over 250 times its size" in refusal(content, "deals.csv.gz")


def test_more_columns_than_a_spreadsheet_has_are_refused() -> None:
    content = HEADER.strip() + "," + ",".join(f"c{number}" for number in range(20_000)) + "\n"
    assert refusal(content, "deals.csv") == "the file has 20,004 columns, more than the 16,384 that a table may have"


def test_json_lines_with_keys_of_their_own_are_refused() -> None:
    lines = [json.dumps({"id": str(line), **{f"k{line}_{key}": 1 for key in range(5_000)}}) for line in range(5)]
    assert "columns, more than the 16,384" in refusal("\n".join(lines), "deals.jsonl")


def test_deep_json_costs_its_line() -> None:
    good = json.dumps({"id": "1", "stage": "W", "amount": 1, "created": "2026-01-02"})
    for deep in ('{"a":' * 100 + "1" + "}" * 100, '{"a":' * 100_000 + "1" + "}" * 100_000, "[" * 100_000):
        read = read_file(f"{good}\n{deep}\n", "deals.jsonl", bad_rows=0.5)
        assert (read.counts, read.refusal) == ((2, 1, 1), None)


def test_json_numbers_keep_their_digits_and_huge_ones_are_bad_cells() -> None:
    lines = [
        '{"id": "1", "stage": "W", "amount": 1234567890123456789.01, "created": "2026-01-02"}',
        '{"id": "2", "stage": "W", "amount": 0.1000000000000000055, "created": "2026-01-02"}',
        '{"id": "3", "stage": "W", "amount": 1e999999999, "created": "2026-01-02"}',
        '{"id": 12345678901234567890123, "stage": "W", "amount": null, "created": "2026-01-02"}',
        '{"id": "5", "stage": "W", "amount": "", "created": "2026-01-02"}',
        '{"id": "6", "stage": "W", "amount": ' + "9" * 5_000 + ', "created": "2026-01-02"}',
    ]
    read = read_file("\n".join(lines), "deals.jsonl", bad_rows=0.5)
    assert read.counts == (6, 4, 2)
    assert read.column("amount") == ["1234567890123456789.01", "0.1000000000000000055", None, None]
    assert read.column("opportunity_id")[2] == "12345678901234567890123"


def test_a_key_that_stands_twice_in_a_json_line_is_said() -> None:
    lines = [
        '{"id": "1", "stage": "W", "amount": 10, "amount": 20, "created": "2026-01-02"}',
        '{"id": "2", "stage": "W", "amount": 10, "amount": 10, "created": "2026-01-02T10:00:00"}',
    ]
    read = read_file("\n".join(lines), "deals.jsonl", bad_rows=0.5)
    assert (read.counts, read.column("amount")) == ((2, 1, 1), ["10"])
    assert read.bad == ["line 1: has the key 'amount' twice with two values"]


def parquet(columns: list[pa.Array], names: list[str]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, names=names), file)
    return file.getvalue()


def test_a_time_beyond_the_years_costs_its_row() -> None:
    times = pa.array([1_770_000_000_000_000, 2**62], pa.int64()).cast(pa.timestamp("us", "UTC"))
    content = parquet([pa.array(["1", "2"]), pa.array(["W", "W"]), pa.array([1, 2]), times], HEADER.strip().split(","))
    read = read_file(content, "deals.parquet", bad_rows=0.5)
    assert (read.refusal, read.counts) == (None, (2, 1, 1))
    assert read.column("created_at") == ["2026-02-02T02:40:00+00:00"]


def test_parquet_columns_of_one_name_must_agree() -> None:
    names = ["id", "stage", "amount", "amount"]
    columns = {"opportunity_id": "id", "stage": "stage", "amount": "amount"}
    texts = [pa.array(["1"]), pa.array(["W"])]
    same = parquet([*texts, pa.array([5]), pa.array([5])], names)
    assert read_file(same, "a.parquet", columns=columns, map={"stage": {"W": "won"}}).column("amount") == ["5"]
    other = parquet([*texts, pa.array([5]), pa.array([6])], names)
    assert "columns 3 and 4 are both named 'amount' and differ in line 1" in refusal(
        other, "a.parquet", columns=columns, map={"stage": {"W": "won"}}
    )


def test_a_parquet_file_that_is_cut_or_bent_is_refused() -> None:
    content = parquet([pa.array(["1"]), pa.array(["W"]), pa.array([1]), pa.array(["x"])], HEADER.strip().split(","))
    for bent in (content[:-9], content[:200], content[:60] + b"\xff" * 40 + content[100:], b"PAR1" + b"\0" * 100):
        assert refusal(bent, "deals.parquet")


def bomb(member: str, content: bytes) -> bytes:
    """A workbook with one of its parts replaced."""
    book = openpyxl.Workbook()
    book.worksheets[0].append(HEADER.strip().split(","))
    book.worksheets[0].append(["1", "W", 1, datetime(2026, 1, 2)])
    file = io.BytesIO()
    book.save(file)
    made = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name in {*old.namelist(), member} - {""}:
            new.writestr(name, content if name == member else old.read(name))
    return made.getvalue()


SHEET = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'


@pytest.mark.parametrize(
    ("member", "content", "reason"),
    [
        ("xl/sharedStrings.xml", b"<sst><si><t>" + b"a" * (81 << 20), "the workbook's texts (xl/sharedStrings.xml)"),
        ("xl/styles.xml", b"<styleSheet>" + b" " * (9 << 20), "the workbook's descriptions (xl/styles.xml)"),
        ("xl/worksheets/sheet1.xml",
         SHEET + b'<row r="1"><c r="A1" t="inlineStr"><is><t>' + b"a" * (2 << 20), "has a cell of more than 1 MB"),
        ("xl/worksheets/sheet1.xml",
         SHEET + b'<row r="1">' + b'<c t="inlineStr"><is><t>a</t></is></c>' * 80_000, "has a row of more than 2 MB"),
        ("xl/worksheets/sheet1.xml",
         b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>' + SHEET + b"&a;</sheetData></worksheet>", "DOCTYPE"),
        ("xl/workbook.xml", b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]><x>&a;</x>', "DOCTYPE"),
        ("xl/worksheets/sheet1.xml", SHEET + b"<row><c>", "is damaged"),
    ],
)  # fmt: skip
def test_a_workbook_that_holds_too_much_is_refused(
    member: str, content: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "LONGEST_CELL", 1 << 20)
    monkeypatch.setattr(bounds, "LONGEST_ROW", 2 << 20)
    assert reason in refusal(bomb(member, content), "deals.xlsx")


def test_a_binary_file_that_calls_itself_a_table_is_refused_plainly() -> None:
    workbook = bomb("", b"")
    for content, reason in (
        (workbook, "the file is not text but a ZIP file or a workbook"),
        (bytes(range(256)) * 100, "control characters"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "a picture"),
        (b"SQLite format 3\0" + bytes(1000), "an SQLite database"),
        (b"\x7fELF" + bytes(range(256)), "a program"),
    ):
        assert reason in refusal(content, "deals.csv")


def test_what_files_say_never_steers_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "m.yml").write_text(
        "source: acme\ncurrency: USD\nstreams: [{entity: opportunities, path: '*.csv', bad_rows: 1}]\n"
    )
    rows = "\x1b[2J,won,\x1b]0;owned\x07,\x9b31m\n"
    (tmp_path / "a\x1b[31m.csv").write_text("opportunity_id,stage,amount,\x1b[5mnew\u202e\n" + rows)
    told: list[str] = []
    report.check(str(tmp_path), frozenset(), told.append)
    text = "\n".join(told)
    assert "a\\x1b[31m.csv: 1 read" in text
    assert "\\x1b]0;owned\\x07" in text
    assert "not taken: \\x1b[5mnew\\u202e" in text
    assert not any((ord(sign) < 32 and sign != "\n") or 127 <= ord(sign) < 160 for sign in text)
