"""Small inputs that were once read wrongly, with the right result of each."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from funnel.inbox import folder as inbox
from funnel.inbox import intake
from funnel.inbox.blocks import BadRow
from funnel.inbox.errors import ManifestError, Refused
from funnel.inbox.manifest import parse

CASES = Path(__file__).parents[1] / "cases" / "files"
Read = tuple[list[dict[str, Any]], list[BadRow], intake.Outcome]


def read(where: Path) -> dict[str, Read]:
    """Each file of a folder by name: rows, bad rows and the outcome."""
    folder = inbox.open_folder(str(where))
    (manifest,), wrong = inbox.find_manifests(folder, frozenset())
    assert not wrong
    found = {}
    for spec in manifest.streams:
        for info in inbox.files_of(folder, manifest, spec):
            outcome = intake.Outcome(info.path, spec.entity.name, "", info.size, info.modified_at)
            with inbox.fetched(folder, info) as source, intake.take(source, spec, outcome) as taken:
                rows = []
                for table in taken.tables:
                    with pa.ipc.open_stream(table) as batches:
                        rows += [{**row, **taken.constants} for batch in batches for row in batch.to_pylist()]
                found[info.path] = (rows, taken.bad, outcome)
                assert outcome.rows_read == outcome.rows_loaded + outcome.rows_quarantined + outcome.rows_merged
                assert len(rows) == outcome.rows_loaded
    return found


def one(tmp_path: Path, text: str, stream: str, top: str = "currency: USD") -> Read:
    """A file of this text by a stream of these settings (bad rows are allowed)."""
    (tmp_path / "file.csv").write_text(text)
    (tmp_path / "m.yml").write_text(
        f"source: one\n{top}\nbad_rows: 1\nstreams:\n  - path: file.csv\n"
        + "".join(f"    {line}\n" for line in stream.splitlines())
    )
    return read(tmp_path)["file.csv"]


def column(rows: list[dict[str, Any]], *names: str) -> list[Any]:
    return [row.get(names[0]) if len(names) == 1 else tuple(row.get(name) for name in names) for row in rows]


def test_a_currency_in_the_cell_is_the_currency_of_its_row() -> None:
    rows, bad, _ = read(CASES / "01_currency_in_cell")["ads.csv"]
    assert not bad
    assert column(rows, "spend", "currency_code") == [("13.63", "EUR"), ("20.00", "USD"), ("30.00", "USD")]


@pytest.mark.parametrize(
    ("cell", "currency", "expected"),
    [
        ("$5", "CAD", ("5", "CAD")),
        ("$5", "EUR", "names $, but the amounts are in EUR"),
        ("5 CHF", "EUR", ("5", "CHF")),
        ("kr 5", "USD", "names kr, but the amounts are in USD"),
        ("5 XYZ", "USD", "'XYZ' is neither a currency"),
        ("1.5 Mio. €", "EUR", ("1500000.0", "EUR")),
        ("10 тыс", "RUB", ("10000", "RUB")),
        ("5 M", "USD", "state scale"),
        ("12 PCT", "USD", "is a percentage"),
    ],
)
def test_words_beside_a_number_are_currencies_or_units(tmp_path: Path, cell: str, currency: str, expected: Any) -> None:
    rows, bad, _ = one(
        tmp_path,
        f"date_day,campaign_name,spend\n2024-01-05,A,{cell}\n",
        "entity: ad_stats",
        f"currency: {currency}",
    )
    if isinstance(expected, tuple):
        assert column(rows, "spend", "currency_code") == [expected]
    else:
        assert not rows
        assert expected in bad[0].reason


def test_two_currencies_in_one_row_are_quarantined(tmp_path: Path) -> None:
    text = "date_day,campaign_name,spend,revenue\n2024-01-05,A,€5,9\n2024-01-06,A,€5,€9\n2024-01-07,A,€5,£9\n"
    rows, bad, _ = one(tmp_path, text, "entity: ad_stats")
    assert column(rows, "spend", "currency_code") == [("5", "EUR")]
    assert [row.line for row in bad] == [2, 4]


def test_where_the_file_states_the_currency_a_cell_may_not_contradict(tmp_path: Path) -> None:
    text = "date_day,campaign_name,spend,currency_code\n2024-01-05,A,€5,USD\n2024-01-06,A,€5,EUR\n2024-01-07,A,5,\n"
    rows, bad, _ = one(tmp_path, text, "entity: ad_stats")
    assert column(rows, "spend", "currency_code") == [("5", "EUR"), ("5", "USD")]
    assert [row.line for row in bad] == [2]


def test_unit_words_multiply() -> None:
    rows, bad, _ = read(CASES / "02_unit_words")["ads.csv"]
    assert not bad
    assert [float(each) for each in column(rows, "spend")] == [1_500_000, 10_000, 120]


def test_a_month_without_a_day_is_that_month() -> None:
    found = read(CASES / "05_month_without_day")
    assert column(found["costs.csv"][0], "month", "amount") == [("2024-03-01", "900"), ("2024-04-01", "950")]
    assert column(found["targets.csv"][0], "period_start") == ["2024-03-01"]


def test_without_a_key_the_lines_to_write_are_named() -> None:
    text = (CASES / "13_no_id_column" / "manifest.yml").read_bytes()
    with pytest.raises(ManifestError) as error:
        parse(text, "manifest.yml")
    assert "`lead_id: {from: row}`" in str(error.value)
    assert "`lead_id: {from: hash}`" in str(error.value)


@pytest.mark.parametrize("origin", ["row", "hash"])
def test_a_key_from_the_row_or_its_content(tmp_path: Path, origin: str) -> None:
    text = (CASES / "13_no_id_column" / "leads.csv").read_text()
    stream = f"entity: leads\ncolumns: {{lead_id: {{from: {origin}}}, created_at: Date, utm_medium: Medium}}"
    rows, bad, _ = one(tmp_path, text, stream)
    assert not bad
    assert len({row["lead_id"] for row in rows}) == 3
    again, _, _ = one(tmp_path, text + "2024-02-01,email\n", stream)
    assert {row["lead_id"] for row in rows} < {row["lead_id"] for row in again}


def test_sums_and_joined_texts(tmp_path: Path) -> None:
    text = 'id,line,sales,price,group,name\n1,1,3,"1,000.10",G,N\n2,1,2,5,,\n3,1,,5,H,\n4,1,x,5,H,M\n'
    stream = (
        "entity: order_lines\ncolumns:\n  order_id: id\n  order_line: line\n"
        '  amount: "{sales} * {price} / 2"\n  product_id: "{group} / {name}"'
    )
    rows, bad, _ = one(tmp_path, text, stream)
    assert column(rows, "amount", "product_id") == [("1500.15", "G / N"), ("5", None)]
    assert [(row.line, row.column) for row in bad] == [(4, "amount"), (5, "amount")]


def test_a_division_by_zero_quarantines_its_row(tmp_path: Path) -> None:
    stream = 'entity: order_lines\ncolumns: {order_id: id, order_line: id, amount: "{a} / {b}"}'
    rows, bad, _ = one(tmp_path, "id,a,b\n1,1,0\n2,1,4\n", stream)
    assert column(rows, "amount") == ["0.25"]
    assert "division by zero" in bad[0].reason


@pytest.mark.parametrize(
    "sum_", ["{a} ** 9", "abs({a})", "{a} + b", "{a} + __import__('os')", "{a} if 1 else 2", "{a}.x"]
)
def test_sums_hold_arithmetic_only(tmp_path: Path, sum_: str) -> None:
    text = "source: one\ncurrency: USD\nstreams:\n"
    text += f'  - {{entity: costs, path: a, columns: {{month: m, team: t, amount: "{sum_}"}}}}'
    with pytest.raises(ManifestError):
        parse(text.encode(), "m.yml")


def test_scale_default_and_fill_down(tmp_path: Path) -> None:
    text = "day,name,cost\n2024-01-05,A,13630000\n2024-01-06,,1500000\n"
    stream = (
        "entity: ad_stats\ncolumns: {date_day: day, campaign_name: name, spend: cost}\n"
        "scale: {spend: micros}\nfill_down: [campaign_name]\ndefault: {platform: Google}"
    )
    rows, bad, _ = one(tmp_path, text, stream)
    assert not bad
    assert column(rows, "campaign_name", "spend", "platform") == [
        ("A", "13.630000", "Google"),
        ("A", "1.500000", "Google"),
    ]


def test_channels_and_campaigns_are_mapped(tmp_path: Path) -> None:
    text = "lead_id,created_at,lead_source,utm_campaign\n1,2024-01-05,google,sp24\n2,2024-01-05,Else,\n"
    stream = "entity: leads\nchannels: {Google: Paid Search}\ncampaigns: {sp24: Spring 2024}"
    rows, _, _ = one(tmp_path, text, stream)
    assert column(rows, "channel", "utm_campaign") == [("Paid Search", "Spring 2024"), (None, None)]


def test_several_date_formats_and_serial_numbers(tmp_path: Path) -> None:
    text = "day,name,cost\n05.01.2024,A,1\n01/06/2024,A,2\n45298,A,3\nx,A,4\n"
    stream = (
        "entity: ad_stats\ncolumns: {date_day: day, campaign_name: name, spend: cost}\n"
        'date_format: {date_day: ["%d.%m.%Y", "%m/%d/%Y", serial]}'
    )
    rows, bad, _ = one(tmp_path, text, stream)
    assert column(rows, "date_day") == ["2024-01-05", "2024-01-06", "2024-01-07"]
    assert "stated in the manifest" in bad[0].reason


def test_a_format_that_was_found_is_said_to_be_found(tmp_path: Path) -> None:
    _, bad, _ = one(tmp_path, "date_day,campaign_name,spend\n31/01/2024,A,1\nsoon,A,2\n", "entity: ad_stats")
    assert "found in the file" in bad[0].reason


def test_midnight_is_a_time_where_other_rows_have_times(tmp_path: Path) -> None:
    text = "lead_id,created_at,mql_at\n1,2024-01-05 00:00,2024-01-05 00:00\n2,2024-01-05 09:30,2024-01-06 00:00\n"
    rows, _, _ = one(tmp_path, text, "entity: leads")
    assert column(rows, "created_at", "created_on")[0] == ("2024-01-05T00:00:00+00:00", None)
    assert column(rows, "mql_at", "mql_on") == [(None, "2024-01-05"), (None, "2024-01-06")]


def test_one_percentage_among_fractions_makes_no_percentages_of_them(tmp_path: Path) -> None:
    text = (
        "opportunity_id,stage,probability\n"
        + "".join(f"{n},opportunity,0.5\n" for n in range(5))
        + "9,opportunity,40\n"
    )
    rows, bad, _ = one(tmp_path, text, "entity: opportunities")
    assert column(rows, "probability") == ["0.5"] * 5
    assert [row.line for row in bad] == [7]


@pytest.mark.parametrize(
    "text",
    [
        b"source: !!int abc\nstreams: []",
        b"source: a\nbad_rows: " + b"9" * 6000 + b"\nstreams: []",
        b"source: a\nstreams: []\nx: " + b"[" * 5000,
        b"source: a\nstreams: []\na: &a [1,1,1,1,1,1,1,1,1]\n"
        + b"".join(b"%c: &%c [%s]\n" % (n + 1, n + 1, b",".join([b"*%c" % n] * 9)) for n in range(97, 105)),
        b"source: a\nstreams: []\nx: " + b"a" * 300_000,
        b"source: !!python/object:os.system a\nstreams: []",
    ],
)
def test_a_hostile_manifest_is_an_error_of_its_own(text: bytes) -> None:
    with pytest.raises(ManifestError, match=r"m\.yml"):
        parse(text, "m.yml")


def test_unknown_settings_are_named_with_the_closest() -> None:
    with pytest.raises(ManifestError, match="perhaps repeats"):
        parse(b"source: a\nstreams: [{entity: leads, path: a, repeat: add}]", "m.yml")


def test_rows_below_the_key_are_added_up() -> None:
    rows, bad, outcome = read(CASES / "03_equal_rows_below_grain")["ads.csv"]
    assert not bad
    assert column(rows, "spend", "impressions") == [("10.00", "4")]
    assert (outcome.rows_read, outcome.rows_loaded, outcome.rows_merged) == (4, 1, 3)
    assert "rows added to another row of the same" in outcome.notes[0]
    assert ": 3 (repeats" in outcome.notes[0]
    rows, _, _ = read(CASES / "04_equal_costs")["costs.csv"]
    assert column(rows, "amount") == ["20000"]


def test_rows_of_one_key_are_kept_once_where_that_is_stated(tmp_path: Path) -> None:
    text = (CASES / "03_equal_rows_below_grain" / "ads.csv").read_text()
    columns = "columns: {date_day: Date, campaign_name: Campaign, spend: Spend}"
    rows, _, outcome = one(tmp_path, text, f"entity: ad_stats\nrepeats: once\n{columns}")
    assert column(rows, "spend") == ["2.50"]
    assert outcome.rows_merged == 3


def test_stocks_are_not_added_up_unless_that_is_stated(tmp_path: Path) -> None:
    text = "week_start,retailer,units_sold,units_on_hand\n2024-01-01,N,1,5\n2024-01-01,N,2,6\n"
    rows, bad, _ = one(tmp_path, text, "entity: sell_through")
    assert column(rows, "units_sold", "units_on_hand") == [("2", "6")]
    assert "week_start, date_day, retailer" in bad[0].reason
    assert "repeats: add" in bad[0].reason
    rows, bad, _ = one(tmp_path, text, "entity: sell_through\nrepeats: add")
    assert column(rows, "units_sold", "units_on_hand") == [("3", "11")]


def test_amounts_in_two_currencies_are_not_added_up(tmp_path: Path) -> None:
    text = "date_day,campaign_name,spend\n2024-01-05,A,€5\n2024-01-05,A,7\n"
    rows, bad, _ = one(tmp_path, text, "entity: ad_stats")
    assert column(rows, "spend", "currency_code") == [("7", "USD")]
    assert [row.line for row in bad] == [2]


def test_equal_rows_of_a_record_are_taken_once_and_counted(tmp_path: Path) -> None:
    text = "lead_id,created_at\n1,2024-01-05\n1,2024-01-05\n"
    rows, bad, outcome = one(tmp_path, text, "entity: leads")
    assert (len(rows), len(bad), outcome.rows_merged) == (1, 0, 1)


def test_totals_by_other_words() -> None:
    found = read(CASES / "10_totals_by_other_words")
    for name, names in (("ads.csv", ["Alpha", "Beta"]), ("more.csv", ["Gamma", "Delta"])):
        rows, bad, outcome = found[name]
        assert column(rows, "campaign_name") == names
        assert "is a total" in bad[0].reason
        assert "totals left out: 1" in outcome.notes[0]


@pytest.mark.parametrize(
    "word", ["Total", "Gesamt", "Total général", "Итого", "合计", "Totale:", "Grand Total (3)", "Razem"]
)
def test_totals_in_many_languages(tmp_path: Path, word: str) -> None:
    text = f"month,team,amount\n2024-01,A,1\n2024-01,B,3\n2024-01,{word},9\n"
    rows, bad, _ = one(tmp_path, text, "entity: costs")
    assert column(rows, "team") == ["A", "B"]
    assert len(bad) == 1
    rows, bad, _ = one(tmp_path, text, "entity: costs\ntotals: keep")
    assert len(rows) == 3


@pytest.mark.parametrize("name", ["Total Wine", "Summer", "Gesamtschule Nord", "Total Recall 2", "Sum of us"])
def test_a_name_with_such_a_word_is_a_name(tmp_path: Path, name: str) -> None:
    rows, _, _ = one(tmp_path, f"month,team,amount\n2024-01,{name},9\n", "entity: costs")
    assert column(rows, "team") == [name]


def test_a_last_line_that_names_nothing_and_sums_the_others_is_a_total(tmp_path: Path) -> None:
    text = "week_start,product_id,units_sold\n2024-01-01,A,1\n2024-01-01,B,2\n2024-01-01,,3\n"
    stream = "entity: sell_through\ncolumns: {week_start: week_start, product_id: product_id, units_sold: units_sold, "
    stream += "retailer: {value: N}}"
    rows, bad, _ = one(tmp_path, text, stream)
    assert column(rows, "product_id") == ["A", "B"]
    assert bad[0].line == 4
    rows, _, _ = one(tmp_path, text.replace(",,3", ",,4"), stream)
    assert len(rows) == 3


def test_days_and_months_that_a_spreadsheet_exchanged_are_refused() -> None:
    with pytest.raises(Refused, match="has swapped days and months") as error:
        read(CASES / "06_days_and_months_swapped")
    assert "state date_format" in str(error.value)


def test_a_header_repeated_inside_a_file_is_not_a_record(tmp_path: Path) -> None:
    text = "lead_id,created_at,region\nA,2024-01-05,X\nlead_id,created_at,region\nB,2024-01-06,Y\n"
    rows, bad, _ = one(tmp_path, text.replace("created_at", "lead_source"), "entity: leads")
    assert column(rows, "lead_id") == ["A", "B"]
    assert [(row.line, row.reason) for row in bad] == [(3, "repeats the header")]


@pytest.mark.parametrize(
    ("form", "cell", "expected"),
    [
        ("serial", "46082", (None, "2026-03-01")),
        ("serial", "46082.5", ("2026-03-01T12:00:00+00:00", None)),
        ("unix", "1772359200", ("2026-03-01T10:00:00+00:00", None)),
        ("unix_ms", "1772359200123", ("2026-03-01T10:00:00.123000+00:00", None)),
        ("unix_us", "1772359200123456", ("2026-03-01T10:00:00.123456+00:00", None)),
        ("unix_ms", "soon", "is not a date of the form unix_ms (stated"),
        ("unix_us", "1e30", "is not a date of the form unix_us (stated"),
    ],
)
def test_moments_that_are_counted(tmp_path: Path, form: str, cell: str, expected: Any) -> None:
    stream = f"entity: leads\ndate_format: {form}"
    top = "currency: USD" if form == "serial" else "timezone: Asia/Tokyo"
    rows, bad, _ = one(tmp_path, f"lead_id,created_at\n1,{cell}\n", stream, top)
    if isinstance(expected, str):
        assert expected in bad[0].reason
    else:
        assert column(rows, "created_at", "created_on") == [expected]


@pytest.mark.parametrize(
    ("cell", "hint"),
    [
        ("46082", "a spreadsheet's serial number (2026-03-01), state date_format: serial"),
        ("1772359200", "seconds since 1970 (2026-03-01), state date_format: unix"),
        ("1772359200123", "milliseconds since 1970 (2026-03-01), state date_format: unix_ms"),
    ],
)
def test_a_number_that_could_be_a_date_says_how_to_state_it(tmp_path: Path, cell: str, hint: str) -> None:
    _, bad, _ = one(tmp_path, f"lead_id,created_at\n1,{cell}\n", "entity: leads")
    assert hint in bad[0].reason


@pytest.mark.parametrize(
    ("cell", "monday"),
    [
        ("2026-W05", "2026-01-26"),
        ("2026W5", "2026-01-26"),
        ("2026-S05", "2026-01-26"),
        ("KW 5/2026", "2026-01-26"),
        ("Semaine 53 2026", "2026-12-28"),
        ("2026-01-26", "2026-01-26"),
        ("2025-W53", "2025 has no week 53"),
        ("W5", "is not a date"),
    ],
)
def test_a_week_is_its_monday(tmp_path: Path, cell: str, monday: str) -> None:
    text = f"week_start,retailer,product_id,units_sold\n{cell},R,P,5\n"
    rows, bad, _ = one(tmp_path, text, "entity: sell_through")
    assert column(rows, "week_start") == [monday] if rows else monday in bad[0].reason


def test_a_week_is_not_read_as_a_day(tmp_path: Path) -> None:
    _, bad, _ = one(tmp_path, "date_day,campaign_name,spend\n2026-W05,A,5\n", "entity: ad_stats")
    assert "is not a date" in bad[0].reason


def test_an_amount_without_a_currency_is_not_read_in_another_one(tmp_path: Path) -> None:
    """The column is mapped, the cell is empty, and the manifest states no currency."""
    rows, bad, _ = one(
        tmp_path,
        "id,stage,amount,currency\n1,won,100,EUR\n2,won,500,\n3,won,,\n4,won,0,\n",
        "entity: opportunities\ncolumns: {opportunity_id: id, stage: stage, amount: amount, currency_code: currency}",
        top="timezone: UTC",
    )
    assert column(rows, "opportunity_id", "currency_code") == [("1", "EUR"), ("3", None), ("4", None)]
    (refused,) = bad
    assert "has no currency" in intake.in_words(refused)


def test_a_target_that_is_a_count_needs_no_currency(tmp_path: Path) -> None:
    rows, bad, _ = one(
        tmp_path,
        "start,grain,metric,target,currency\n2026-01-01,month,leads,40,\n2026-01-01,month,spend,900,\n",
        "entity: targets\ncolumns: {period_start: start, period_grain: grain, metric: metric, target: target, "
        "currency_code: currency}",
        top="timezone: UTC",
    )
    assert column(rows, "metric") == ["leads"]
    assert len(bad) == 1
