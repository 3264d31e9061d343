"""The loader on a real server: nothing is lost, and the result depends on the reads, not on their order or number."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from funnel import ledger, warehouse
from funnel.ingest import landing, load
from funnel.ingest.errors import LoadError
from funnel.sources import SOURCES
from tests.ingest.conftest import Land, ad_row

CONTENT = (
    "select date, campaign_id, cost_micros, impressions, conversions, _extra "
    "from raw.google_ads__campaign_stats order by 1, 2"
)


def query(sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(ledger.settings.dsn("admin")) as connection:
        return connection.execute(sql.encode()).fetchall()


def forget(table: str) -> None:
    with psycopg.connect(ledger.settings.dsn("admin")) as connection:
        connection.execute(f"drop table {table}; delete from ops.loads; delete from ops.loaded_days".encode())


def test_last_row_of_last_page_is_loaded(land: Land) -> None:
    result = load.load(
        land("google_ads", "campaign_stats", [[ad_row("2026-01-05", "1")], [], [ad_row("2026-01-05", "2")]])
    )
    assert (result.rows_read, result.rows_loaded) == (2, 2)
    assert [row[1] for row in query(CONTENT)] == ["1", "2"]


def test_values_arrive_as_the_vendor_said(land: Land) -> None:
    load.load(land("google_ads", "campaign_stats", [[ad_row("2026-01-05", cost="9223372036854775807")]]))
    ((_, _, cost, impressions, conversions, extra),) = query(CONTENT)
    assert (cost, impressions, str(conversions), extra) == (9223372036854775807, 100, "1.5", None)


def test_undeclared_field_is_kept_and_reported(land: Land) -> None:
    result = load.load(
        land(
            "google_ads",
            "campaign_stats",
            [[ad_row("2026-01-05", metrics__videoViews="7"), ad_row("2026-01-05", "12")]],
        )
    )
    assert result.new_fields == ("metrics.videoViews",)
    assert [row[5] for row in query(CONTENT)] == [{"metrics": {"videoViews": "7"}}, None]
    assert query("select new_fields from ops.loads") == [(["metrics.videoViews"],)]


@pytest.mark.parametrize(
    ("bad", "column", "reason"),
    [
        (ad_row("2026-01-05", "99", cost="12.5"), "cost_micros", "whole number"),
        (ad_row("2026-01-05", "99", cost="many"), "cost_micros", "not a number"),
        (ad_row("2026-01-05", "99", cost=None), "cost_micros", "required"),
        (ad_row("2026-01-05", "99", cost="9223372036854775808"), "cost_micros", "range"),
        (ad_row("2026-01-05", "99", metrics__conversions="NaN"), "conversions", "finite"),
        (ad_row("2026-01-05", "99", metrics__conversions=[1]), "conversions", "array"),
        (ad_row("2026-13-05", "99"), "date", "ISO 8601"),
        (ad_row("2026-01-06", "99"), "date", "outside"),
        (ad_row("2026-01-05", "9\x009"), "campaign_id", "NUL"),
        ("no object", None, "not an object"),
    ],
)
def test_unreadable_row_is_quarantined_and_the_rest_loads(
    land: Land, bad: Any, column: str | None, reason: str
) -> None:
    result = load.load(land("google_ads", "campaign_stats", [[ad_row("2026-01-05"), bad, ad_row("2026-01-05", "12")]]))
    assert (result.rows_read, result.rows_loaded, result.rows_quarantined) == (3, 2, 1)
    ((found_column, found_reason, payload),) = query(
        "select column_name, reason, payload from ops.quarantine join raw.quarantine using (quarantine_id)"
    )
    assert found_column == column
    assert reason in found_reason
    if isinstance(bad, dict):
        assert payload["campaign"]["id"].startswith("9")


def test_quarantined_row_is_marked_replayed_once_it_reads(land: Land) -> None:
    load.load(land("google_ads", "campaign_stats", [[ad_row("2026-01-05", cost="x")]]))
    load.load(
        land("google_ads", "campaign_stats", [[ad_row("2026-01-05", cost="x")]], fetched_at="2026-01-07T03:00:00+00:00")
    )
    assert query("select count(*), count(replayed_at) from ops.quarantine") == [(1, 0)]
    load.load(land("google_ads", "campaign_stats", [[ad_row("2026-01-05")]], fetched_at="2026-01-08T03:00:00+00:00"))
    assert query("select count(*), count(replayed_at) from ops.quarantine") == [(1, 1)]


def test_text_that_copy_must_escape_survives(land: Land) -> None:
    names = ["tab\there", "back\\slash", "line\nend", "\\N", 'quote"s', "carriage\rreturn", "ünï©ode 🚀"]
    rows = [
        {"customer": {"id": "1"}, "campaign": {"id": str(number), "name": name, "status": "ENABLED"}}
        for number, name in enumerate(names)
    ]
    load.load(land("google_ads", "campaigns", [rows]))
    assert [
        row[0] for row in query("select campaign_name from raw.google_ads__campaigns order by campaign_id")
    ] == names


def test_vanished_rows_of_a_dated_stream_are_retracted(land: Land) -> None:
    load.load(land("google_ads", "campaign_stats", [[ad_row("2026-01-05", "1"), ad_row("2026-01-05", "2")]]))
    result = load.load(
        land("google_ads", "campaign_stats", [[ad_row("2026-01-05", "1")]], fetched_at="2026-01-07T03:00:00+00:00")
    )
    assert result.rows_retracted == 1
    assert [row[1] for row in query(CONTENT)] == ["1"]


def test_unchanged_row_keeps_the_load_that_wrote_it(land: Land) -> None:
    first = load.load(land("google_ads", "campaign_stats", [[ad_row("2026-01-05", "1"), ad_row("2026-01-05", "2")]]))
    second = load.load(
        land(
            "google_ads",
            "campaign_stats",
            [[ad_row("2026-01-05", "1"), ad_row("2026-01-05", "2", cost="5")]],
            fetched_at="2026-01-07T03:00:00+00:00",
        )
    )
    assert query("select campaign_id, _load_id from raw.google_ads__campaign_stats order by 1") == [
        ("1", first.load_id),
        ("2", second.load_id),
    ]


def test_same_record_on_two_pages_is_one_row_and_the_later_page_wins(land: Land) -> None:
    result = load.load(
        land("google_ads", "campaign_stats", [[ad_row("2026-01-05", cost="1")], [ad_row("2026-01-05", cost="2")]])
    )
    assert (result.rows_read, result.rows_loaded, result.rows_duplicated) == (2, 2, 1)
    assert [row[2] for row in query(CONTENT)] == [2]


def test_loading_the_same_read_again_is_a_no_op(land: Land) -> None:
    landed = land("google_ads", "campaign_stats", [[ad_row("2026-01-05")]])
    first, again = load.load(landed), load.load(landed)
    assert (first.is_new, again.is_new, again.load_id) == (True, False, first.load_id)
    assert query("select count(*) from ops.loads") == [(1,)]


def test_column_declared_since_is_added_before_a_build(land: Land) -> None:
    load.load(land("google_ads", "campaign_stats", [[ad_row("2026-01-05")]]))
    with psycopg.connect(ledger.settings.dsn("admin")) as connection:
        connection.execute("alter table raw.google_ads__campaign_stats drop column clicks")
    load.create_tables()
    assert query("select campaign_id, clicks from raw.google_ads__campaign_stats") == [("11", None)]


def test_a_table_that_a_load_is_creating_is_not_created_beside_it(land: Land) -> None:
    """The first loads of all sources run at the same time, and none sees the others' tables until they have ended."""
    read = land("google_ads", "campaign_stats", [[ad_row("2026-01-05")]])
    load.prepare(SOURCES["exchange_rates"])
    with ThreadPoolExecutor(1) as pool:
        with warehouse.connect("loader") as connection, connection.transaction():
            load.load_into(connection, read)
            made = pool.submit(load.create_tables)
            with pytest.raises(TimeoutError):
                made.result(1)
            # A load that needs the tables of another source does not wait.
            load.prepare(SOURCES["files"])
        made.result(60)
    assert query("select campaign_id from raw.google_ads__campaign_stats") == [("11",)]


def test_replaying_what_was_landed_gives_the_same_rows_in_a_new_warehouse(land: Land) -> None:
    for day, cost in ((6, "1"), (7, "2"), (8, "3")):
        read = land(
            "google_ads",
            "campaign_stats",
            [[ad_row("2026-01-05", cost=cost)]],
            fetched_at=f"2026-01-{day:02d}T03:00:00+00:00",
        )
        load.load(read)
    before = query(CONTENT)
    forget("raw.google_ads__campaign_stats")
    reads = list(landing.reads())
    assert [read.fetched_at.day for read in reads] == [6, 7, 8]
    assert all(load.load(read).is_new for read in reads)
    assert query(CONTENT) == before


def test_several_connections_do_not_touch_each_other(land: Land) -> None:
    load.load(land("google_ads", "campaign_stats", [[ad_row("2026-01-05")]]))
    load.load(land("google_ads", "campaign_stats", [[]], connection_id="google_ads__emea"))
    assert len(query(CONTENT)) == 1


def test_overlapping_windows_give_the_same_rows_in_any_order(land: Land) -> None:
    reads = [
        land("google_ads", "campaign_stats", [[ad_row("2026-01-04", cost="4"), ad_row("2026-01-05", cost="5")]],
             "2026-01-04", "2026-01-06", fetched_at="2026-01-06T03:00:00+00:00"),
        land("google_ads", "campaign_stats", [[ad_row("2026-01-05", cost="55"), ad_row("2026-01-06", cost="6")]],
             "2026-01-05", "2026-01-07", fetched_at="2026-01-07T03:00:00+00:00"),
        land("google_ads", "campaign_stats", [[ad_row("2026-01-04", "99", cost="44")]],
             "2026-01-04", "2026-01-05", fetched_at="2026-01-08T03:00:00+00:00"),
    ]  # fmt: skip
    outcomes = set()
    for order in itertools.permutations(reads):
        for landed in order:
            load.load(landed)
        outcomes.add(
            tuple(
                query("select date::text, campaign_id, cost_micros from raw.google_ads__campaign_stats order by 1, 2")
            )
        )
        forget("raw.google_ads__campaign_stats")
    assert outcomes == {(("2026-01-04", "99", 44), ("2026-01-05", "11", 55), ("2026-01-06", "11", 6))}


def contact(status: str, updated_at: str, **properties: Any) -> dict[str, Any]:
    return {
        "id": "1",
        "updatedAt": updated_at,
        "archived": False,
        "properties": {"email": "Ana@Example.com ", "hs_lead_status": status, "createdate": "2026-01-05T10:00:00Z"}
        | properties,
    }


def test_newest_change_wins_in_any_order(land: Land) -> None:
    reads = [
        land("hubspot", "contacts", [[contact("NEW", "2026-01-05T10:00:00Z")]], fetched_at="2026-01-06T03:00:00+00:00"),
        land(
            "hubspot", "contacts", [[contact("OPEN", "2026-01-06T10:00:00Z")]], fetched_at="2026-01-07T03:00:00+00:00"
        ),
        land(
            "hubspot",
            "contacts",
            [[contact("CONNECTED", "2026-01-06T10:00:00Z")]],
            fetched_at="2026-01-08T03:00:00+00:00",
        ),
        land(
            "hubspot", "contacts", [[contact("OPEN", "2026-01-06T10:00:00Z")]], fetched_at="2026-01-09T03:00:00+00:00"
        ),
    ]
    outcomes = set()
    for order in itertools.permutations(reads):
        for landed in order:
            load.load(landed)
        outcomes.add(query("select lead_status, updated_at::text, _fetched_at::text from raw.hubspot__contacts")[0])
        forget("raw.hubspot__contacts")
    assert len(outcomes) == 1
    assert outcomes.pop()[0] == "OPEN"


def campaign(name: str) -> dict[str, Any]:
    return {"customer": {"id": "1"}, "campaign": {"id": "11", "name": name, "status": "ENABLED"}}


def test_versions_are_the_same_in_any_order_of_arrival(land: Land) -> None:
    names = ["Brand", "Brand EU", "Brand", "Brand"]
    reads = [
        land("google_ads", "campaigns", [[campaign(name)]], fetched_at=f"2026-01-{day:02d}T03:00:00+00:00")
        for day, name in enumerate(names, start=6)
    ]
    for order in itertools.permutations(reads):
        for landed in order:
            load.load(landed)
        versions = query(
            "select campaign_name, _fetched_at::date::text from raw.google_ads__campaigns order by _fetched_at"
        )
        assert versions == [("Brand", "2026-01-06"), ("Brand EU", "2026-01-07"), ("Brand", "2026-01-08")], order
        forget("raw.google_ads__campaigns")


def test_email_never_reaches_a_column(land: Land) -> None:
    load.load(land("hubspot", "contacts", [[contact("NEW", "2026-01-05T10:00:00Z")]]))
    ((row,),) = query("select to_jsonb(c) from raw.hubspot__contacts as c")
    assert "ana@" not in str(row).lower()
    assert row["email_domain"] == "example.com"
    assert len(row["email_key"]) == 32


def test_changed_person_key_is_refused(land: Land, monkeypatch: pytest.MonkeyPatch) -> None:
    load.load(land("hubspot", "contacts", [[contact("NEW", "2026-01-05T10:00:00Z")]]))
    monkeypatch.setenv("PERSON_KEY_SECRET", "another")
    with pytest.raises(LoadError, match="PERSON_KEY_SECRET changed"):
        load.load(land("hubspot", "contacts", [[contact("NEW", "2026-01-05T10:00:00Z")]], run_id="second"))
    assert query("select count(*) from ops.loads") == [(1,)]


def test_ledger_adds_up_by_constraint(land: Land) -> None:
    load.load(land("google_ads", "campaign_stats", [[ad_row("2026-01-05"), ad_row("2026-01-05", cost="x")]]))
    with pytest.raises(psycopg.errors.CheckViolation):
        query("update ops.loads set rows_read = 3 returning 1")
