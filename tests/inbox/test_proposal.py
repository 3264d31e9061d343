"""`make new-manifest` on folders of exports: the right entities, columns and totals, without an edit."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from funnel import cli
from funnel.inbox import folder as inbox
from funnel.inbox import intake, manifest, new_manifest, report
from funnel.inbox.errors import ManifestError
from tests.inbox import exports, unseen_exports


def make(directory: Path) -> tuple[manifest.Manifest, str]:
    """Propose a manifest for a folder; returns the manifest and what was printed."""
    told: list[str] = []
    new_manifest.make(str(directory), frozenset(), "USD", told.append)
    (path,) = directory.glob("*.yml")
    return manifest.parse(path.read_bytes(), path.name), "\n".join(told)


def loaded(directory: Path, made: manifest.Manifest) -> dict[str, list[dict[str, Any]]]:
    """All rows as they would load, by entity."""
    folder = inbox.open_folder(str(directory))
    rows: dict[str, list[dict[str, Any]]] = {}
    for spec in made.streams:
        for info in inbox.files_of(folder, made, spec):
            outcome = intake.Outcome(info.path, spec.entity.name, "", info.size, None)
            with inbox.fetched(folder, info) as source, intake.take(source, spec, outcome) as taken:
                for table in taken.tables:
                    for batch in pa.ipc.open_stream(table):
                        rows.setdefault(spec.entity.name, []).extend(
                            {**row, **taken.constants} for row in batch.to_pylist()
                        )
    return rows


def total(rows: list[dict[str, Any]], name: str) -> Decimal:
    return sum((Decimal(row[name]) for row in rows if row.get(name) is not None), Decimal(0))


def check(directory: Path, expected: exports.Expected) -> None:
    """The proposed manifest gives exactly the folder's totals."""
    made, _ = make(directory)
    assert report.check(str(directory), frozenset(), lambda text: None), "inbox-check refuses something"
    assert {spec.entity.name for spec in made.streams} == set(expected)
    rows = loaded(directory, made)
    for entity, wanted in expected.items():
        got = rows[entity]
        keys = {row["row_key"] for row in got}
        assert len(keys) == wanted["rows"], f"{entity}: {len(keys)} rows"
        filled = {name for row in got for name, value in row.items() if value is not None}
        filled |= {name.removesuffix("_on") + "_at" for name in filled}
        assert wanted.get("needs", set()) <= filled, f"{entity} lacks {wanted['needs'] - filled}"
        if "currency" in wanted:
            assert {row.get("currency_code") for row in got} == wanted["currency"]
        for name, value in wanted.get("constants", {}).items():
            assert {row.get(name) for row in got} == {value}
        if "won" in wanted:
            assert sum(row["stage"] == "won" for row in got) == wanted["won"]
        if "paid" in wanted:
            assert sum(row["status"] == "paid" for row in got) == wanted["paid"]
        if "streams" in wanted:
            assert sum(spec.entity.name == entity for spec in made.streams) == wanted["streams"]
        for name in set(wanted) - {"rows", "needs", "currency", "constants", "won", "paid", "streams"}:
            assert total(got, name) == wanted[name], f"{entity}.{name}"


@pytest.mark.parametrize("name", exports.FOLDERS)
def test_the_proposed_manifest_loads_all_of_a_folder(name: str, tmp_path: Path) -> None:
    check(tmp_path, exports.FOLDERS[name](tmp_path))


@pytest.mark.parametrize("name", unseen_exports.FOLDERS)
def test_headings_that_it_was_not_made_for_are_read_as_well(name: str, tmp_path: Path) -> None:
    check(tmp_path, unseen_exports.FOLDERS[name](tmp_path))


def test_what_is_unsure_is_marked_with_both_readings(tmp_path: Path) -> None:
    lines = "".join(f"D{number},won,{number}.50,0{number}/03/2026\n" for number in range(1, 6))
    (tmp_path / "deals.csv").write_text("Deal ID,Stage,Amount,Close Date\n" + lines)
    _, told = make(tmp_path)
    assert 'closed_at: "%d/%m/%Y"' in told
    assert "# unsure: 01/03/2026 may be %d/%m/%Y or %m/%d/%Y; this is a guess" in told
    assert "currency: USD" in told
    assert "# unsure: no file names its currency; this is the reporting currency" in told
    assert "timezone: UTC\n" in told, "days are the same in every zone"
    assert "opportunities: deals.csv: 5 of 5 rows, days 2026-03-01 to 2026-03-05" in told
    assert "opportunity_id D1 · stage won · closed_on 2026-03-01 · amount 1.50" in told
    assert f"written: {tmp_path / f'{tmp_path.name}.yml'}" in told
    assert f"make inbox-check DIR={tmp_path}" in told


def test_an_ambiguous_date_is_read_as_the_other_dates_of_the_folder_are(tmp_path: Path) -> None:
    (tmp_path / "deals.csv").write_text(
        "Deal ID,Stage,Amount,Created,Closed\n1,won,1.5,10/31/2026,01/02/2026\n2,won,1.5,10/30/2026,03/04/2026\n"
    )
    made, told = make(tmp_path)
    assert "this is as other dates of the folder are written" in told
    assert [row["closed_on"] for row in loaded(tmp_path, made)["opportunities"]] == ["2026-01-02", "2026-03-04"]


def test_an_unknown_stage_is_open_and_said_to_be_unsure(tmp_path: Path) -> None:
    (tmp_path / "deals.csv").write_text(
        "Deal ID,Stage,Amount (EUR)\n1,Gewonnen,1.5\n2,Zwischenstand,2.5\n3,Lost - Price,3\n"
    )
    made, told = make(tmp_path)
    assert [row["stage"] for row in loaded(tmp_path, made)["opportunities"]] == ["won", "opportunity", "lost"]
    (line,) = [line for line in told.splitlines() if "Zwischenstand: opportunity" in line]
    assert line.endswith("# unsure: an unknown word, taken to be open")


def test_each_file_states_its_own_currency(tmp_path: Path) -> None:
    for code in ("EUR", "GBP"):
        (tmp_path / f"google_{code}.csv").write_text(f"Day,Campaign,Cost ({code}),Clicks\n2026-01-31,Brand,1.50,1\n")
    made, _ = make(tmp_path)
    assert {row["currency_code"] for row in loaded(tmp_path, made)["ad_stats"]} == {"EUR", "GBP"}


def test_the_next_export_of_a_kind_is_meant_and_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "deals_2026-10.csv").write_text("Deal ID,Stage,Amount (EUR)\n1,won,1.5\n")
    (tmp_path / "deals_2026-11.csv").write_text("Deal ID,Stage,Amount (EUR)\n2,won,2.5\n")
    (tmp_path / "deals_notes_2026-11.csv").write_text("a,b\n1,2\n")
    made, told = make(tmp_path)
    (spec,) = made.streams
    assert manifest.matches("deals_2026-12.csv", spec.path)
    assert not manifest.matches("deals_notes_2026-11.csv", spec.path)
    assert "not recognised: deals_notes_2026-11.csv: line 1 reads a, b" in told


def test_files_that_cannot_be_read_are_listed_and_the_others_proposed(tmp_path: Path) -> None:
    (tmp_path / "deals.csv").write_text("Deal ID,Stage,Amount (EUR)\n1,won,1.5\n")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    (tmp_path / "broken.xlsx").write_bytes(b"PK\x03\x04 no workbook")
    (tmp_path / "empty.csv").write_bytes(b"")
    _, told = make(tmp_path)
    assert "not read: photo.png: files of this kind are not read" in told
    assert "not read: broken.xlsx: " in told
    assert "not read: empty.csv: " in told
    assert "opportunities: deals.csv: 1 of 1 rows" in told


def test_a_manifest_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "deals.csv").write_text("Deal ID,Stage,Amount (EUR)\n1,won,1.5\n")
    other = tmp_path / f"{tmp_path.name}.yml"
    other.write_text("# my own notes\n")
    new_manifest.make(str(tmp_path), frozenset(), "USD", lambda text: None)
    assert other.read_text() == "# my own notes\n"
    assert len(list(tmp_path.glob("*.yml"))) == 2
    with pytest.raises(ManifestError, match="is described already, by "):
        new_manifest.make(str(tmp_path), frozenset(), "USD", lambda text: None)
    (tmp_path / "leads.csv").write_text("Lead ID,Email,Lead Source\n1,a@example.com,Fair\n")
    new_manifest.make(str(tmp_path), frozenset(), "USD", lambda text: None)
    assert len(list(tmp_path.glob("*.yml"))) == 3, "a manifest for what no manifest describes"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "There is no file in "),
        ({"photo.png": b"\x89PNG\0"}, "No file of "),
        ({"numbers.csv": b"a,b\n1,2\n"}, "No file of "),
        ({"binary.csv": bytes(range(256)) * 40}, "No file of "),
    ],
)
def test_what_cannot_be_described_is_an_error_without_a_traceback(
    files: dict[str, bytes], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    assert cli.main(["new-manifest", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert said in printed.err
    assert "Traceback" not in printed.err
    assert not set(printed.out) & {chr(code) for code in range(32) if code not in (9, 10)}, "no binary on a terminal"
    assert not list(tmp_path.glob("*.yml"))


def test_a_missing_folder_is_an_error_without_a_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["new-manifest", str(tmp_path / "gone")]) == 1
    assert "There is no folder " in capsys.readouterr().err


def test_statistics_without_a_day_take_the_period_of_their_title(tmp_path: Path) -> None:
    (tmp_path / "report.csv").write_text(
        'Campaign report\n"November 1, 2026 - November 30, 2026"\nCampaign,Cost (EUR),Clicks\nBrand,1.50,1\nOther,2,3\n'
    )
    made, told = make(tmp_path)
    rows = loaded(tmp_path, made)["ad_stats"]
    assert {row["date_day"] for row in rows} == {"2026-11-30"}
    assert total(rows, "spend") == Decimal("3.5")
    assert "# unsure: no column holds a day; the whole file counts on this one" in told


def test_what_a_file_lacks_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "report.csv").write_text("Campaign,Cost,Clicks\nBrand,1.50,1\n")
    (tmp_path / "deals.csv").write_text("Deal ID,Amount,Close Date\n1,1.50,2026-01-31\n")
    assert cli.main(["new-manifest", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "report.csv: looks like ad_stats, but no column is its date_day (export it by day" in printed
    assert "deals.csv: looks like opportunities, but no column is its stage; line 1 reads Deal ID" in printed


def test_deals_that_only_say_when_they_were_won_are_won(tmp_path: Path) -> None:
    (tmp_path / "deals.csv").write_text("id,won_on\nA,2026-01-15\nB,2026-01-06\n")
    made, told = make(tmp_path)
    assert {row["stage"] for row in loaded(tmp_path, made)["opportunities"]} == {"won"}
    assert "indicates a stage: all are taken as won" in told


def test_columns_that_join_two_files_are_found_by_their_ids(tmp_path: Path) -> None:
    deals = "".join(f"N{number},q{number},v{number % 3},2026-01-{number:02}\n" for number in range(1, 13))
    (tmp_path / "closed_deals.csv").write_text("deal_id,qualified_ref,merchant_ref,won_date\n" + deals)
    leads = "".join(f"q{number},2025-12-{number:02},paid_search\n" for number in range(1, 20))
    (tmp_path / "qualified_leads.csv").write_text("qualified_ref,first_contact_date,origin\n" + leads)
    made, told = make(tmp_path)
    rows = loaded(tmp_path, made)
    assert {row["lead_id"] for row in rows["opportunities"]} == {f"q{number}" for number in range(1, 13)}
    assert {row["lead_source"] for row in rows["leads"]} == {"paid_search"}
    assert "# lead_id: qualified_ref holds the lead_id of the leads" in told


def test_lines_below_the_records_do_not_refuse_a_small_report(tmp_path: Path) -> None:
    rows = "".join(f'"006{number}","Closed Won","{number}.50","1/{number}/2026"\n' for number in range(1, 21))
    footer = '"My deals"\n"Copyright (c) 2000-2026 a vendor"\n"Confidential"\n"Generated By: Ada"\n"Acme"\n'
    (tmp_path / "report.csv").write_text(f'"Opportunity ID","Stage","Amount","Close Date"\n{rows}\n\n{footer}')
    made, told = make(tmp_path)
    assert len(loaded(tmp_path, made)["opportunities"]) == 20
    assert "# unsure: 5 lines below the records are quarantined" in told


def test_a_stage_that_comes_far_down_is_mapped(tmp_path: Path) -> None:
    rows = "".join(f"{number},Gagnée,1\n" for number in range(70_000)) + "70001,Abandonnée,2\n"
    (tmp_path / "deals.csv").write_text("Deal ID,Stage,Amount (EUR)\n" + rows)
    made, _ = make(tmp_path)
    assert made.streams[0].maps["stage"] == {"Gagnée": "won", "Abandonnée": "lost"}


def test_an_interchange_is_a_stream_without_columns(tmp_path: Path) -> None:
    (tmp_path / "northmart.852").write_text("ISA*00*          *00*          *ZZ*X~")
    told: list[str] = []
    new_manifest.make(str(tmp_path), frozenset(), "USD", told.append)
    (path,) = tmp_path.glob("*.yml")
    (spec,) = manifest.parse(path.read_bytes(), "x").streams
    assert (spec.entity.name, spec.path, spec.columns) == ("sell_through", "northmart.852", None)
    assert "WOULD BE REFUSED" in "\n".join(told)


def test_the_time_zone_is_unsure_where_times_have_no_offset(tmp_path: Path) -> None:
    text = "Deal ID,Stage,Amount (EUR),Created\n1,won,1.5,2026-01-31{}\n2,won,1.5,2026-01-30{}\n"
    for number, (time, is_unsure) in enumerate(
        [("", False), (" 00:00:00", False), (" 14:30", True), ("T14:30:00Z", False), (" 14:30:00 +0100", False)]
    ):
        folder = tmp_path / f"x{number}"
        folder.mkdir()
        (folder / "deals.csv").write_text(text.format(time, time))
        _, told = make(folder)
        assert ("unsure: in which zone the times of Created in deals.csv are" in told) == is_unsure, time


def test_the_file_that_does_not_name_its_currency_is_named(tmp_path: Path) -> None:
    (tmp_path / "deals.csv").write_text("Deal ID,Stage,Amount\n1,won,1.5\n")
    (tmp_path / "costs.csv").write_text("Month,Team,Amount (CHF)\n2026-01-01,Sales,10\n")
    _, told = make(tmp_path)
    assert "currency: CHF" in told
    assert "# unsure: deals.csv does not name its currency" in told


def test_labels_that_are_written_once_per_group_are_carried_down(tmp_path: Path) -> None:
    (tmp_path / "costs.csv").write_text(
        "Month,Department,Cost type,Amount (EUR)\n"
        "2026-01-01,Sales,Tools,1.5\n,,Salaries,2.5\n2026-02-01,Ads,Tools,3\n,,Agency,4\n"
    )
    made, told = make(tmp_path)
    rows = loaded(tmp_path, made)["costs"]
    assert [(row["month"][:7], row["team"]) for row in rows] == [("2026-01", "Sales")] * 2 + [("2026-02", "Ads")] * 2
    assert "# empty cells of Month take the value above" in told


def test_a_header_that_stands_twice_is_taken_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "ads.csv").write_text("Date,Campaign,Clicks,Spend (EUR),Clicks,Spend (EUR)\n2026-01-31,A,1,10,2,20\n")
    made, told = make(tmp_path)
    assert total(loaded(tmp_path, made)["ad_stats"], "spend") == 10
    assert "spend: {position: 4}" in told
    assert "# unsure: 'Spend (EUR)' occurs more than once; this is the first" in told


def test_platforms_by_other_names_are_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "ads.csv").write_text(
        "Date,Platform,Campaign,Clicks,Cost (EUR)\n2026-01-31,Google,A,1,1.5\n2026-01-31,Radio,B,1,2\n"
    )
    made, _ = make(tmp_path)
    assert [row["platform"] for row in loaded(tmp_path, made)["ad_stats"]] == ["google_ads", "Radio"]


def test_a_kind_of_campaigns_is_its_channel(tmp_path: Path) -> None:
    text = "Day,Campaign,Campaign type,Cost (EUR),Clicks\n"
    for kind in ("Search", "Performance Max", "Something"):
        text += f"2026-01-31,{kind} A,{kind},1.50,1\n"
    (tmp_path / "google.csv").write_text(text)
    made, told = make(tmp_path)
    channels = [row["channel"] for row in loaded(tmp_path, made)["ad_stats"]]
    assert channels == ["Paid Search", "Cross-network", "Paid Other"]
    assert "# unsure: an unknown kind of campaigns" in told


def test_an_order_of_one_product_on_two_rows_has_the_sum_of_both(tmp_path: Path) -> None:
    (tmp_path / "order_lines.csv").write_text(
        "Order ID,Order Date,SKU,Quantity,Unit price (EUR)\n"
        "1,2026-01-31,A,1,1.50\n1,2026-01-31,A,2,1.50\n1,2026-01-31,B,1,4\n"
    )
    made, told = make(tmp_path)
    rows = loaded(tmp_path, made)["order_lines"]
    assert {row["order_line"]: (Decimal(row["units"]), Decimal(row["amount"])) for row in rows} == {
        "A": (Decimal(3), Decimal("4.5")),
        "B": (Decimal(1), Decimal(4)),
    }
    assert "order_lines: order_lines.csv: 2 of 3 rows, 1 merged" in told
