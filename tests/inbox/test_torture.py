"""The torture folder: what exports really look like. Every row is loaded or quarantined, counted, with its reason."""

import gzip
import io
import json
from datetime import date, datetime
from decimal import Decimal

import pytest

from funnel.inbox import separated
from tests.inbox.conftest import DEALS, STAGES, Read, read_file

HEADER = "id,stage,amount,created\n"


def rows_of(count: int, created: str = "2026-01-02") -> str:
    return "".join(f"{number},W,{number},{created}\n" for number in range(1, count + 1))


# Dates --------------------------------------------------------------------------------------------------------------


def test_an_ambiguous_date_column_is_refused_with_what_to_state() -> None:
    read = read_file(HEADER + "1,W,10,03/04/2026\n2,L,20,05/06/2026\n")
    assert read.counts == (0, 0, 0)
    assert read.refusal == (
        "created_at is ambiguous: 03/04/2026 may be 2026-04-03 (%d/%m/%Y) or 2026-03-04 (%m/%d/%Y), and no row says "
        'which; state date_format: {created_at: "%d/%m/%Y"} in the manifest'
    )


def test_one_day_above_twelve_says_how_a_column_is_written() -> None:
    read = read_file(HEADER + "1,W,10,03/04/2026\n2,L,20,25/06/2026\n")
    assert read.column("created_on") == ["2026-04-03", "2026-06-25"]


def test_days_that_both_orders_read_alike_are_not_ambiguous() -> None:
    assert read_file(HEADER + "1,W,10,03/03/2026\n").column("created_on") == ["2026-03-03"]


def test_a_stated_format_settles_an_ambiguous_column() -> None:
    read = read_file(HEADER + "1,W,10,03/04/2026\n", date_format={"created_at": "%m/%d/%Y"})
    assert read.column("created_on") == ["2026-03-04"]


def test_a_column_that_mixes_both_orders_is_refused() -> None:
    read = read_file(HEADER + "1,W,1,25/06/2026\n2,W,1,06/25/2026\n3,W,1,03/04/2026\n")
    assert read.refusal is not None
    assert "is written both as" in read.refusal
    assert "03/04/2026 may be either day" in read.refusal


@pytest.mark.parametrize(
    ("written", "at", "on"),
    [
        ("2026-01-02T10:00:00Z", "2026-01-02T10:00:00+00:00", None),
        ("2026-01-02 10:00", "2026-01-02T13:00:00+00:00", None),
        ("2026-01-02 10:00:00.5+02:00", "2026-01-02T08:00:00.500000+00:00", None),
        ("2026-01-02 00:00:00", None, "2026-01-02"),
        ("20260102", None, "2026-01-02"),
        ("2 January 2026", None, "2026-01-02"),
        ("Jan 2, 2026 10:05 PM", "2026-01-03T01:05:00+00:00", None),
        ("30.01.2026", None, "2026-01-30"),
    ],
)
def test_a_time_is_in_the_manifests_zone_and_a_day_is_a_day(written: str, at: str | None, on: str | None) -> None:
    """2 January is 2 January for every reader; ten o'clock in São Paulo is one o'clock in the afternoon in UTC."""
    [row] = read_file(f'{HEADER}1,W,10,"{written}"\n').rows
    assert (row["created_at"], row["created_on"]) == (at, on)


@pytest.mark.parametrize("written", ["2026-02-31", "31/13/2026", "0206-01-02", "soon", "2026-01-02 25:00"])
def test_what_is_no_date_is_a_bad_row(written: str) -> None:
    read = read_file(f"{HEADER}{rows_of(9)}10,W,10,{written}\n", bad_rows=0.1)
    assert read.counts == (10, 9, 1)
    assert read.bad[0].startswith("line 11, created_at: ")


# Numbers ------------------------------------------------------------------------------------------------------------


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
    """What the first block lets one believe, or leaves open, is settled by the whole file and counts for all rows."""
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
def test_what_is_no_number_is_a_bad_row(written: str) -> None:
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


# Lines and letters --------------------------------------------------------------------------------------------------


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


def test_lines_above_the_header_are_no_rows() -> None:
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


def test_an_empty_file_is_refused_and_a_header_alone_is_no_rows() -> None:
    assert read_file("").refusal == "the file is empty: it has no header"
    assert read_file(HEADER).counts == (0, 0, 0)


# Rows ---------------------------------------------------------------------------------------------------------------


def test_a_total_row_is_no_record() -> None:
    read = read_file("id,stage,amount,created\n1,W,10,2026-01-02\nGrand Total,W,10,2026-01-02\n", bad_rows=0.5)
    assert read.counts == (2, 1, 1)
    assert read.bad == ["line 3, opportunity_id: is a total, not a record"]


def test_of_two_rows_with_one_key_the_last_counts_and_the_first_is_told() -> None:
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


# Other formats ------------------------------------------------------------------------------------------------------


def workbook(rows: list[list[object]], title: str = "Deals") -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = "Read me"
    sheet = book.create_sheet(title)
    for row in rows:
        sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


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


# X12 852 ------------------------------------------------------------------------------------------------------------


def interchange(lines: int = 2, hash_total: int = 37) -> str:
    isa = "ISA*00*          *00*          *08*9254110060     *ZZ*MAKER          *261109*1200*U*00401*000000001*0*P*>~"
    body = [
        "ST*852*0001",
        "XQ*H*20261102*20261108",
        "N1*RT*Big Box Stores*92*0007",
        "LIN**UP*012345678905*SK*44",
        "ZA*QS*12*EA",
        "SDQ*EA*92*0001*5*0002*7",
        "ZA*QA*20*EA",
        "SDQ*EA*92*0001*8*0002*12",
        "LIN**UP*012345678912",
        "CTP*RS*RTL*2.50",
        "ZA*QS*5*EA",
        f"CTT*{lines}*{hash_total}",
    ]
    body.append(f"SE*{len(body) + 1}*0001")
    segments = ["GS*PD*BIGBOX*MAKER*20261109*1200*1*X*004010", *body, "GE*1*1", "IEA*1*000000001"]
    return isa + "\n".join(f"{segment}~" for segment in segments)


def test_an_852_gives_sales_and_stock_by_store() -> None:
    read = read_file(interchange(), name="pos.x12", entity="sell_through", columns=None)
    assert read.counts == (3, 3, 0)
    found = [
        (row["store_id"], row["product_id"], row["units_sold"], row["units_on_hand"], row["sales_amount"])
        for row in read.rows
    ]
    assert found == [
        ("0001", "012345678905", "5", "8", None),
        ("0002", "012345678905", "7", "12", None),
        (None, "012345678912", "5", None, "12.5"),
    ]
    assert {(row["week_start"], row["retailer"]) for row in read.rows} == {("2026-11-02", "Big Box Stores")}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (interchange(lines=3), "line items (CTT01): 3 stated, 2 found"),
        (interchange(hash_total=38), "sum of quantities (CTT02): 38 stated, 37 found"),
        (interchange().replace("SE*13", "SE*14"), "segments (SE01): 14 stated, 13 found"),
        (interchange().replace("GE*1*", "GE*2*"), "transactions (GE01): 2 stated, 1 found"),
    ],
)
def test_an_852_whose_control_totals_disagree_is_refused_whole(changed: str, reason: str) -> None:
    read = read_file(changed, name="pos.x12", entity="sell_through", columns=None)
    assert read.refusal == "control totals disagree; ask the retailer to send the file again"
    assert read.bad[0].endswith(reason)
    assert read.counts == (0, 0, 0)


def test_an_852_without_its_end_is_refused() -> None:
    whole = interchange()
    read = read_file(whole[: whole.index("GE*1")], name="pos.x12", entity="sell_through", columns=None)
    assert read.refusal == "the interchange is cut short: it does not end with an IEA segment"


def changed_interchange(old: str, new: str, **counts: int) -> Read:
    """The interchange with other segments, its count of segments made right."""
    text = interchange(**counts).replace(old, new)
    between = text[text.index("ST*") :].split("~")
    count = next(place for place, segment in enumerate(between, start=1) if segment.strip().startswith("SE*"))
    text = text.replace("SE*13*", f"SE*{count}*")
    return read_file(text, name="pos.x12", entity="sell_through", columns=None)


def test_a_product_that_stands_twice_in_a_store_is_added_up() -> None:
    second = (
        "LIN**UP*012345678905~ZA*QS*3.1*EA~SDQ*EA*92*0001*2.1*0001*1~ZA*QA*1*EA~SDQ*EA*92*0001*0.2~LIN**UP*012345678912"
    )
    read = changed_interchange("LIN**UP*012345678912", second, lines=3, hash_total=37)
    assert read.refusal == "control totals disagree; ask the retailer to send the file again"
    assert "37 stated, 41.1 found" in read.bad[0]
    whole = second.replace("3.1*EA", "3*EA")
    read = changed_interchange("LIN**UP*012345678912", whole, lines=3, hash_total=41)
    assert [(row["store_id"], row["units_sold"], row["units_on_hand"]) for row in read.rows] == [
        ("0001", "8.1", "8.2"),
        ("0002", "7", "12"),
        (None, "5", None),
    ]


def test_a_product_has_the_number_that_all_trade_knows_unless_the_manifest_prefers_another() -> None:
    text = interchange().replace("LIN**UP*012345678905*SK*44", "LIN**VN*V-1*UP*012345678905")
    read = read_file(text, name="pos.x12", entity="sell_through", columns=None)
    assert read.column("product_id")[0] == "012345678905"
    columns = {"week_start": "week_start", "retailer": "retailer", "store_id": "store_id", "product_id": "VN"}
    columns["units_sold"] = "units_sold"
    read = read_file(text, name="pos.x12", entity="sell_through", columns=columns)
    assert read.column("product_id")[:2] == ["V-1", "V-1"]


@pytest.mark.parametrize(
    ("named", "retailer"),
    [
        ("N1*RT*Big Box Stores*92*0007", "Big Box Stores"),
        ("N1*RT**92*0007", "0007"),
        ("N1*FR*Sender*92*1~N1*RT*Big Box*92*0007~N1*SU*Maker*92*2~N1*VN*Maker*92*2", "Big Box"),
        ("N1*FR*Big Box East*92*1~N1*SU*Maker*92*2", "Big Box East"),
        ("N1*SU*Maker*92*2", "9254110060"),
    ],
)
def test_a_retailer_is_named_by_its_n1(named: str, retailer: str) -> None:
    read = changed_interchange("N1*RT*Big Box Stores*92*0007", named)
    assert {row["retailer"] for row in read.rows} == {retailer}


def test_quantities_of_an_852_are_exact() -> None:
    read = changed_interchange("ZA*QS*5*EA", "ZA*QS*123456789012345678.1*EA", hash_total=0)
    assert "0 stated, 123456789012345710.1 found" in read.bad[0]


# The manifest's share of the work -----------------------------------------------------------------------------------


def test_a_column_that_went_missing_refuses_the_file_and_names_its_likely_new_name() -> None:
    read = read_file("id,stage,amounts,created\n1,W,1,2026-01-02\n")
    assert read.refusal == (
        "the header has no column 'amount' (perhaps 'amounts'?); line 1 reads id, stage, amounts, created"
    )


def test_a_new_column_is_told_and_left_out() -> None:
    read = read_file("id,stage,amount,created,phone\n1,W,1,2026-01-02,555\n")
    assert read.outcome.unmapped == ["phone"]
    assert "555" not in str(read.rows)


def test_constants_nulls_and_corrections_are_applied() -> None:
    columns = {**DEALS, "region": {"value": "West"}, "product_id": "product"}
    read = read_file(
        "id,stage,amount,created,product\n1,W,1,n/a,GTXPro\n2,W,1,2026-01-02,GTX Pro\n",
        columns=columns,
        map={**STAGES, "product_id": {"GTXPro": "GTX Pro"}},
        nulls=["n/a"],
    )
    assert read.column("product_id") == ["GTX Pro", "GTX Pro"]
    assert read.column("region") == ["West", "West"]
    assert read.column("created_on") == [None, "2026-01-02"]
