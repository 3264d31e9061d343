"""Files whose layout once gave wrong numbers silently: columns, sheets, versions of a file, line breaks."""

import io
import itertools
import os
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import psycopg
import pytest

from funnel.contract import Connection, Window
from funnel.ingest import landing, load, notes
from funnel.sources import files
from tests.inbox.conftest import read_file

CASES = Path(__file__).parents[1] / "cases" / "files"
WINDOW = Window(date(2026, 11, 22), date(2026, 11, 23))
Take = Callable[..., load.LoadResult]


@pytest.fixture
def take(warehouse: str) -> Take:
    """Load one entity of a source, each time one minute later, as a run does."""
    clock = [datetime(2026, 11, 23, 3, tzinfo=UTC)]

    def run(folder: Path, source: str, entity: str) -> load.LoadResult:
        clock[0] += timedelta(minutes=1)
        extra = {"known": notes.known_files("files", source, entity)}
        connection = Connection(source, str(folder), extra=extra)
        stream = files.SOURCE.stream(entity)
        return load.load(landing.land(files.SOURCE, connection, stream, WINDOW, f"run {clock[0]}", clock[0]))

    return run


def ask(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def counts(result: load.LoadResult) -> tuple[int, int, int]:
    return result.rows_read, result.rows_loaded, result.rows_quarantined


# Several streams on one file ------------------------------------------------------------------------------------------


def test_two_streams_on_one_file_both_load(warehouse: str, take: Take) -> None:
    folder = CASES / "09_two_streams_one_file"
    assert counts(take(folder, "two_streams", "ad_stats")) == (2, 2, 0)
    assert ask(warehouse, "select date_day, spend from raw.files__ad_stats order by 1") == [
        (date(2024, 1, 5), 10),
        (date(2024, 2, 5), 20),
    ]
    assert ask(warehouse, "select path, stream_no, rows_loaded from ops.files order by 2") == [
        ("ads.xlsx", 1, 1),
        ("ads.xlsx", 2, 1),
    ]
    assert counts(take(folder, "two_streams", "ad_stats")) == (0, 0, 0)


WIDE = """
source: wide
currency: USD
streams:
  - entity: ad_stats
    path: wide.csv
    columns: {date_day: Day, campaign_name: Name, spend: Google, platform: {value: google}}
  - entity: ad_stats
    path: wide.csv
    columns: {date_day: Day, campaign_name: Name, spend: Bing, platform: {value: bing}}
"""


def test_a_wide_table_is_taken_apart_by_streams_with_constants(warehouse: str, tmp_path: Path, take: Take) -> None:
    (tmp_path / "wide.yml").write_text(WIDE)
    (tmp_path / "wide.csv").write_text("Day,Name,Google,Bing\n2024-01-05,Alpha,10,1\n2024-01-06,Alpha,20,2\n")
    assert counts(take(tmp_path, "wide", "ad_stats")) == (4, 4, 0)
    sums = "select platform, sum(spend) from raw.files__ad_stats group by 1 order by 1"
    assert ask(warehouse, sums) == [("bing", 3), ("google", 30)]


def test_a_file_is_read_again_by_all_its_streams_while_one_refuses_it(
    warehouse: str, tmp_path: Path, take: Take
) -> None:
    (tmp_path / "wide.yml").write_text(WIDE.replace("spend: Bing", "spend: Yahoo"))
    (tmp_path / "wide.csv").write_text("Day,Name,Google,Bing\n2024-01-05,Alpha,10,1\n")
    assert counts(take(tmp_path, "wide", "ad_stats")) == (1, 1, 0)
    take(tmp_path, "wide", "ad_stats")
    assert ask(warehouse, "select count(*) from ops.files where status = 'refused'") == [(2,)]
    (tmp_path / "wide.yml").write_text(WIDE)
    assert counts(take(tmp_path, "wide", "ad_stats")) == (2, 2, 0)
    assert counts(take(tmp_path, "wide", "ad_stats")) == (0, 0, 0)


# Versions of a file --------------------------------------------------------------------------------------------------


def amount(dsn: str) -> list[tuple[Any, ...]]:
    return ask(dsn, "select amount from raw.files__opportunities")


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))))
@pytest.mark.parametrize("at_once", [True, False])
def test_the_file_with_the_later_name_counts_whatever_stood_before(
    warehouse: str, tmp_path: Path, take: Take, order: tuple[int, ...], at_once: bool
) -> None:
    case = CASES / "11_back_to_an_earlier_version"
    shutil.copy(case / "manifest.yml", tmp_path)
    for number in order:
        shutil.copy(case / f"deals_{number}.csv", tmp_path)
        if not at_once:
            take(tmp_path, "back_again", "opportunities")
    take(tmp_path, "back_again", "opportunities")
    assert amount(warehouse) == [(100,)]
    assert counts(take(tmp_path, "back_again", "opportunities")) == (0, 0, 0)


def test_a_copy_under_a_later_name_counts_before_a_version_that_arrives_between(
    warehouse: str, tmp_path: Path, take: Take
) -> None:
    case = CASES / "11_back_to_an_earlier_version"
    shutil.copy(case / "manifest.yml", tmp_path)
    for theirs, ours in (
        ("deals_1.csv", "deals_1.csv"),
        ("deals_1.csv", "deals_3.csv"),
        ("deals_2.csv", "deals_2.csv"),
    ):
        shutil.copy(case / theirs, tmp_path / ours)
        take(tmp_path, "back_again", "opportunities")
    assert amount(warehouse) == [(100,)]


def test_a_file_that_comes_later_under_an_earlier_name_is_noted(warehouse: str, tmp_path: Path, take: Take) -> None:
    case = CASES / "11_back_to_an_earlier_version"
    shutil.copy(case / "manifest.yml", tmp_path)
    for number in (2, 3, 1):
        shutil.copy(case / f"deals_{number}.csv", tmp_path)
        take(tmp_path, "back_again", "opportunities")
    notes = dict(ask(warehouse, "select path, notes from ops.files"))
    assert (notes["deals_2.csv"], notes["deals_3.csv"]) == ([], [])
    assert notes["deals_1.csv"] == [
        "arrived after deals_3.csv, whose name sorts later: its rows count where both have them; state newest_by: "
        "time if the later file is the newer one"
    ]


def test_newest_by_time_replaces_what_names_had_settled(warehouse: str, tmp_path: Path, take: Take) -> None:
    case = CASES / "11_back_to_an_earlier_version"
    shutil.copy(case / "manifest.yml", tmp_path)
    shutil.copy(case / "deals_2.csv", tmp_path / "deals_1.csv")
    shutil.copy(case / "deals_1.csv", tmp_path / "deals_2.csv")
    os.utime(tmp_path / "deals_2.csv", (1_700_000_000, 1_700_000_000))
    os.utime(tmp_path / "deals_1.csv", (1_700_000_060, 1_700_000_060))
    take(tmp_path, "back_again", "opportunities")
    assert amount(warehouse) == [(100,)]
    text = (case / "manifest.yml").read_text()
    (tmp_path / "manifest.yml").write_text(text.replace("'deals_*.csv'", "'deals_*.csv', newest_by: time"))
    take(tmp_path, "back_again", "opportunities")
    assert amount(warehouse) == [(900,)]
    os.utime(tmp_path / "deals_2.csv", (1_700_000_120, 1_700_000_120))
    take(tmp_path, "back_again", "opportunities")
    assert amount(warehouse) == [(100,)]


def test_files_whose_names_differ_by_their_endings_only_have_one_order(
    warehouse: str, tmp_path: Path, take: Take
) -> None:
    (tmp_path / "acme.yml").write_text(
        "source: acme\ncurrency: USD\nstreams:\n  - {entity: opportunities, path: 'deals.*', format: csv}\n"
    )
    for name in ("deals.txt", "deals.csv"):
        (tmp_path / name).write_text(f"opportunity_id,stage,amount\nD1,won,{len(name) if name == 'deals.txt' else 1}\n")
        take(tmp_path, "acme", "opportunities")
    assert amount(warehouse) == [(Decimal(9),)]


# Columns of one name, headers of two lines --------------------------------------------------------------------------

ADS = {"date_day": "Date", "campaign_name": "Campaign", "impressions": "Impressions", "clicks": "Clicks"}
TWICE = (CASES / "07_two_columns_of_one_name" / "ads.csv").read_text()


def test_a_mapped_name_that_occurs_twice_refuses_the_file_and_names_both_columns() -> None:
    read = read_file(TWICE, entity="ad_stats", columns=ADS | {"spend": "Spend"})
    assert read.refusal == (
        "columns 3 and 6 are both named 'Impressions' and differ in line 2; state which one is meant, impressions: "
        "{position: 3} or {position: 6}, or rename one of them"
    )


def test_columns_of_one_name_that_are_equal_in_every_row_are_one_and_noted() -> None:
    rows = "Date,Campaign,Spend,Spend\n2024-01-05,Alpha,10, 10\n2024-01-06,Alpha,11,11\n"
    columns = {"date_day": "Date", "campaign_name": "Campaign", "spend": "Spend"}
    read = read_file(rows, entity="ad_stats", columns=columns)
    assert (read.counts, read.column("spend")) == ((2, 2, 0), ["10", "11"])
    assert read.outcome.notes == ["columns 3 and 4 are both named 'Spend' and equal in every row; the first is read"]
    changed = read_file(rows.replace("11,11", "11,12"), entity="ad_stats", columns=columns)
    assert "differ in line 3" in (changed.refusal or "")


def test_columns_are_addressed_by_their_places() -> None:
    columns = ADS | {"impressions": {"position": 6}, "clicks": {"position": 4}, "spend": {"position": 8}}
    read = read_file(TWICE, entity="ad_stats", columns=columns)
    assert (read.refusal, read.counts) == (None, (1, 1, 0))
    assert [read.column(name) for name in ("impressions", "clicks", "spend")] == [["200"], ["1"], ["20.00"]]


GROUPED = ",,Google,,Bing,\nDate,Campaign,Clicks,Spend,Clicks,Spend\n2024-01-05,Alpha,1,10,2,20\n"


@pytest.mark.parametrize("settings", [{}, {"header": [1, 2]}])
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_header_of_two_lines_is_addressed_by_both(settings: dict[str, Any], kind: str) -> None:
    columns = {"date_day": "Date", "campaign_name": "Campaign", "spend": "Bing / Spend"}
    rows = [[cell or None for cell in line.split(",")] for line in GROUPED.splitlines()]
    content: str | bytes = GROUPED if kind == "csv" else workbook({"Ads": rows})
    read = read_file(content, f"ads.{kind}", entity="ad_stats", columns=columns, **settings)
    assert (read.refusal, read.counts, read.column("spend")) == (None, (1, 1, 0), ["20"])
    assert read.outcome.settings["header"] == [1, 2]


# Sheets ------------------------------------------------------------------------------------------------------------

HEADER = ["Date", "Campaign", "Spend"]
SPEND = {"date_day": "Date", "campaign_name": "Campaign", "spend": "Spend"}


def workbook(sheets: dict[str, list[list[Any]]], hidden: str = "") -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        sheet.sheet_state = "hidden" if name == hidden else "visible"
        for row in rows:
            sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


JAN = [HEADER, [datetime(2024, 1, 5), "Alpha", 10], [datetime(2024, 1, 6), "Beta", 11]]
FEB = [HEADER, [datetime(2024, 2, 5), "Alpha", 20]]


def spends(sheets: dict[str, list[list[Any]]], hidden: str = "", **settings: Any) -> Any:
    return read_file(workbook(sheets, hidden), "ads.xlsx", entity="ad_stats", columns=SPEND, **settings)


def test_a_sheet_per_month_is_read_whole_and_said() -> None:
    read = spends({"Jan": JAN, "Feb": FEB, "Notes": [["seen by", "Ann"]], "Empty": []})
    assert (read.counts, read.column("spend")) == ((3, 3, 0), ["10", "11", "20"])
    assert read.outcome.notes == [
        "read 2 sheets: Jan, Feb",
        "sheet 'Notes' is not read: its header is another",
        "sheet 'Empty' is not read: it is empty",
    ]
    assert read.outcome.settings["sheets"] == ["Jan", "Feb"]


def test_the_case_of_a_sheet_per_month(warehouse: str, take: Take) -> None:
    assert counts(take(CASES / "08_a_sheet_per_month", "sheets", "ad_stats")) == (2, 2, 0)
    assert ask(warehouse, "select sum(spend) from raw.files__ad_stats") == [(30,)]
    [(notes,)] = ask(warehouse, "select notes from ops.files")
    assert notes == ["read 2 sheets: Jan, Feb"]


def test_a_hidden_sheet_is_never_read_unless_it_is_named() -> None:
    read = spends({"Jan": JAN, "Feb": FEB}, hidden="Feb")
    assert (read.counts, read.outcome.notes) == ((2, 2, 0), ["sheet 'Feb' is not read: it is hidden"])
    assert spends({"Jan": JAN, "Feb": FEB}, hidden="Feb", sheet="Feb").column("spend") == ["20"]


@pytest.mark.parametrize(
    ("sheet", "reason"),
    [
        ([HEADER, *JAN[1:], *FEB[1:]], "its rows are also in 'Jan', 'Feb'"),
        ([HEADER, *JAN[1:]], "its rows are also in 'Jan', 'Feb'"),
        ([HEADER, *JAN[1:], *FEB[1:], ["Total", None, 41]], "its rows are also in 'Jan', 'Feb'"),
        ([HEADER, [datetime(2024, 1, 31), "Alpha", 30], [datetime(2024, 1, 31), "Beta", 11]],
         "its numbers are the sums of 'Jan', 'Feb'"),
        ([HEADER, [None, "Alpha", 30], [None, "Beta", 11]], "its numbers are the sums of 'Jan', 'Feb'"),
    ],
)  # fmt: skip
def test_a_sheet_that_repeats_or_sums_the_others_is_left_out_and_said(sheet: list[list[Any]], reason: str) -> None:
    for sheets in ({"Year": sheet, "Jan": JAN, "Feb": FEB}, {"Jan": JAN, "Feb": FEB, "Year": sheet}):
        read = spends(sheets)
        if "its rows" in reason and len(sheet) == len(JAN):
            # Two sheets have the same content; it does not matter which one is read.
            assert (read.counts, read.column("spend")) == ((3, 3, 0), read.column("spend"))
            assert sorted(read.column("spend")) == ["10", "11", "20"]
            continue
        assert (read.counts, sorted(read.column("spend"))) == ((3, 3, 0), ["10", "11", "20"])
        assert f"sheet 'Year' is not read: {reason}" in read.outcome.notes


def test_a_month_whose_numbers_happen_to_be_the_others_sum_is_read() -> None:
    march = [HEADER, [datetime(2024, 3, 5), "Alpha", 41]]
    assert spends({"Jan": JAN, "Feb": FEB, "Mar": march}).counts == (4, 4, 0)


def test_one_key_in_two_sheets_is_refused_with_both_places() -> None:
    other = [HEADER, [datetime(2024, 1, 6), "Beta", 5], [datetime(2024, 1, 7), "Beta", 5]]
    read = spends({"Jan": JAN, "Feb": other})
    assert read.refusal == (
        "sheet Jan, line 3 and sheet Feb, line 2 have the same key; name the sheets that are meant, sheets: [Jan], or "
        "state repeats: add where both count"
    )
    assert spends({"Jan": JAN, "Feb": other}, sheet="Jan").counts == (2, 2, 0)


def test_named_sheets_are_read_and_a_sheets_name_may_be_a_column() -> None:
    other = [HEADER, [datetime(2024, 1, 6), "Beta", 5]]
    columns = SPEND | {"ad_account_id": {"from": "sheet"}}
    sheets = {"DE": JAN, "FR": other, "XX": FEB}
    read = read_file(workbook(sheets), "ads.xlsx", entity="ad_stats", columns=columns, sheets=["DE", "FR"])
    assert (read.refusal, read.counts) == (None, (3, 3, 0))
    assert read.column("ad_account_id") == ["DE", "DE", "FR"]


def test_a_bad_row_is_placed_in_its_sheet() -> None:
    read = spends({"Jan": JAN, "Feb": [*FEB, [datetime(2024, 2, 6), "Beta", "ten"]]}, bad_rows=0.5)
    assert read.counts == (4, 3, 1)
    assert read.bad[0].startswith("line 3, spend: ")
    assert read.bad[0].endswith("(sheet Feb)")


def test_a_formula_without_a_stored_value_is_an_error_of_its_cell(warehouse: str, take: Take) -> None:
    result = take(CASES / "12_formula_without_value", "formulas", "opportunities")
    assert result.rows_loaded == 0
    [(status, reasons)] = ask(warehouse, "select status, reasons from ops.files")
    assert status == "refused"
    assert "holds a formula without a stored value" in reasons[0]


def test_the_header_is_found_below_a_title_though_the_manifest_names_no_columns() -> None:
    text = (
        'Campaign report\n"March 1, 2026 - March 31, 2026"\n\ndate_day,campaign_name,impressions,spend\n'
        '2026-03-01,A,"1,000","1,234.50"\n2026-03-02,B,200,99.90\n'
    )
    read = read_file(text, "ads.csv", entity="ad_stats", columns=None)
    assert read.refusal is None
    assert read.column("spend") == ["1234.50", "99.90"]
    book = openpyxl.Workbook()
    for row in (["Campaign report"], [], ["date_day", "campaign_name", "spend"], ["2026-03-01", "A", 5]):
        book.active.append(row)
    target = io.BytesIO()
    book.save(target)
    assert read_file(target.getvalue(), "ads.xlsx", entity="ad_stats", columns=None).column("spend") == ["5"]
