"""The fast ways of a load give the same as the careful ones: rows, ledger, quarantine and changed days."""

import itertools
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from psycopg import sql

from funnel import settings
from funnel.contract import AccountRead, Connection, Fetched, Stream, Window
from funnel.ingest import copying, dated, first_read, json_rows, landing, load, typed_bodies
from funnel.ingest.landing import LandedRead
from funnel.ingest.raw_tables import Loading
from funnel.sources import SOURCES
from tests.ingest.conftest import Land, ad_row

DAYS = ("2026-01-04", "2026-01-05", "2026-01-06", "2026-01-07")
TABLES = (
    "raw.google_ads__campaign_stats",
    "raw.google_ads__campaigns",
    "raw.meta_ads__insights",
    "raw.hubspot__contacts",
    "ops.loaded_days",
    "ops.day_changes",
    "ops.noted_values",
)
LEDGER = """
    select
        stream, rows_read, rows_loaded, rows_quarantined, rows_retracted, rows_superseded, rows_duplicated, new_fields
    from ops.loads order by load_id
"""
QUARANTINE = """
    select load_id, hashed_key, hashed_payload, column_name, reason, replayed_at is null, payload
    from ops.quarantine inner join raw.quarantine using (quarantine_id) order by 2, 3, 4
"""
ODD: tuple[Callable[[dict[str, Any]], Any], ...] = (
    lambda row: row["metrics"].update(costMicros="many"),
    lambda row: row["metrics"].update(costMicros=None),
    lambda row: row["metrics"].update(conversions="NaN"),
    lambda row: row["metrics"].update(conversions="-Infinity"),
    lambda row: row["metrics"].update(conversions=1e22),
    lambda row: row["metrics"].update(conversionsValue="12345678901234567890.12345678901234567890"),
    lambda row: row["metrics"].update(clicks=""),
    lambda row: row["metrics"].update(clicks=str(2**63)),
    lambda row: row["metrics"].update(videoViews="7"),
    lambda row: row["metrics"].pop("impressions"),
    lambda row: row["customer"].update(currencyCode="a\tb\n\\N"),
    lambda row: row["customer"].update(currencyCode="€ 😀"),
    lambda row: row["campaign"].update(id="9\x009"),
    lambda row: row["campaign"].update(id=["1"]),
    lambda row: row["segments"].update(date="2026-01-01"),
    lambda row: row["segments"].update(date="no day"),
    lambda row: row.pop("segments"),
)


def query(text: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(settings.dsn("admin")) as connection:
        return connection.execute(text.encode()).fetchall()


def forget() -> None:
    with psycopg.connect(settings.dsn("admin")) as connection:
        for table in TABLES:
            connection.execute(f"drop table if exists {table}".encode() if table.startswith("raw.") else b"select 1")
        connection.execute(
            "truncate ops.loads, ops.loaded_days, ops.day_changes, ops.quarantine, raw.quarantine "
            "restart identity cascade"
        )


def left_by(reads: list[LandedRead], chosen: dict[tuple[Any, str], Any]) -> dict[str, Any]:
    """The state of an empty warehouse after these reads, loaded in the way that the settings choose."""
    forget()
    with pytest.MonkeyPatch.context() as patch:
        for (module, name), value in chosen.items():
            patch.setattr(module, name, value)
        for read in reads:
            load.load(read)
    stored = {name for (name,) in query("select schemaname || '.' || tablename from pg_tables")}
    left = {table: query(f"select * from {table} as one order by one::text") for table in TABLES if table in stored}
    return {**left, "ledger": query(LEDGER), "quarantine": query(QUARANTINE)}


CAREFUL: dict[tuple[Any, str], Any] = {
    (first_read, "WORTH_FILLING"): 10**12,
    (dated, "WORTH_REWRITING"): 10**12,
    (typed_bodies, "decoder"): lambda source, stream: None,
}
REWRITING: dict[tuple[Any, str], Any] = {
    (dated, "WORTH_REWRITING"): 0,
    (dated, "BODIES_WORTH_REWRITING"): 0,
}
QUICK = {(first_read, "WORTH_FILLING"): 0, **REWRITING}
# Also if the first body differs little, or not at all.
IN_PLACE = {**QUICK, (dated, "MOSTLY"): 0}


def pages(chance: random.Random, share_of_odd: float, share_changed: float, vanished: float) -> list[list[Any]]:
    """Rows of four days in pages: some twice, some irregular, some missing."""
    found: list[Any] = []
    for day, campaign in itertools.product(DAYS, range(30)):
        if chance.random() < vanished:
            continue
        cost = 1_000_000 + (campaign if chance.random() < share_changed else 0)
        row = ad_row(day, str(campaign), cost=str(cost), metrics__conversionsValue=round(chance.random(), 2))
        if chance.random() < share_of_odd:
            chance.choice(ODD)(row)
        found += [row] * (2 if chance.random() < share_of_odd else 1)
        if chance.random() < share_of_odd:
            found.append(ad_row(day, str(campaign), cost="5"))
    return [found[start : start + 25] for start in range(0, len(found), 25)]


@pytest.mark.parametrize("seed", range(6))
def test_dated_reads_leave_the_same_in_every_way(land: Land, seed: int) -> None:
    chance = random.Random(seed)
    odd = (0.0, 0.02, 0.2)[seed % 3]
    reads = [
        land(
            "google_ads", "campaign_stats", pages(chance, odd, changed, vanished), DAYS[0], last,
            fetched_at=f"2026-01-{day:02}T03:00:00+00:00",
        )
        for day, last, changed, vanished in (
            *((10, "2026-01-08", 0.0, 0.1), (11, "2026-01-08", 0.03, 0.0), (12, "2026-01-08", 1.0, 0.0)),
            *((9, "2026-01-07", 1.0, 0.5), (13, "2026-01-08", 1.0, 0.5), (14, "2026-01-06", 0.5, 0.2)),
        )
    ]  # fmt: skip
    careful = left_by(reads, CAREFUL)
    assert left_by(reads, QUICK) == careful
    assert left_by(reads, IN_PLACE) == careful
    assert len(careful["ledger"]) == len(reads)
    assert careful["raw.google_ads__campaign_stats"]


def test_accounts_are_kept_the_same_in_every_way(warehouse: str) -> None:
    def landed(day: int, pages: list[list[tuple[str, int, int]]], asked: list[str]) -> LandedRead:
        def fetch(connection: Connection, stream: Stream, window: Window) -> Iterator[Fetched]:
            for page in pages:
                records = [
                    ad_row(DAYS[1], str(number), cost=str(cost), customer__id=account) for account, number, cost in page
                ]
                yield json.dumps({"results": records}).encode()
            yield from map(AccountRead, asked)

        source = replace(SOURCES["google_ads"], fetch=fetch)
        connection = Connection("google_ads", "http://vendor.invalid")
        window = Window(date(2026, 1, 5), date(2026, 1, 6))
        moment = datetime(2026, 1, day, 3, tzinfo=UTC)
        return landing.land(source, connection, source.stream("campaign_stats"), window, "test", moment)

    of_both = [[(account, number, 100) for number in range(5)] for account in ("1", "2")]
    # The second read is of one account, but holds rows of the other; the third is of both, and lacks rows.
    of_one = [[("1", number, 200) for number in range(4)], [("2", number, 300) for number in range(3)]]
    reads = [
        landed(8, of_both, ["1", "2"]),
        landed(9, of_one, ["1"]),
        landed(10, [[("1", 0, 400)], [("2", 0, 400)], [("2", 0, 500)]], ["1", "2"]),
    ]
    careful = left_by(reads, CAREFUL)
    assert left_by(reads, QUICK) == left_by(reads, IN_PLACE) == careful
    assert [row[1:6] for row in careful["ledger"]] == [(10, 10, 0, 0, 0), (7, 4, 3, 1, 0), (3, 3, 0, 7, 0)]


def test_lists_are_kept_the_same_in_every_way(land: Land) -> None:
    def insight(day: str, campaign: int, actions: Any) -> dict[str, Any]:
        common = {"account_id": "1", "account_currency": "EUR", "impressions": "7", "clicks": "3", "spend": "1.50"}
        return {**common, "date_start": day, "date_stop": day, "campaign_id": str(campaign), "actions": actions}

    odd = [None, [], [{"value": "1"}], "text", {"a": "\t\n\\"}, [{"value": 1.50}], [{"a": "\x00"}], "€"]
    reads = [
        land("meta_ads", "insights", [[insight(DAYS[1], number, actions) for number, actions in enumerate(change)]])
        for change in (odd, odd[:5], odd[::-1])
    ]
    assert left_by(reads, QUICK) == left_by(reads, IN_PLACE) == left_by(reads, CAREFUL)


def test_records_and_versions_are_the_same_in_every_way(land: Land) -> None:
    def contact(number: int, status: str) -> dict[str, Any]:
        return {"id": str(number), "archived": False, "updatedAt": f"2026-01-05T0{number % 9}:00:00Z",
                "properties": {"email": f"p{number}@example.test", "lifecyclestage": status}}  # fmt: skip

    def campaign(number: int, name: str) -> dict[str, Any]:
        return {"customer": {"id": "1"}, "campaign": {"id": str(number), "name": name, "status": "ENABLED"}}

    reads = [
        land("hubspot", "contacts", [[contact(n, "lead") for n in range(9)], [contact(2, "customer")]]),
        land("hubspot", "contacts", [[contact(n, "lead") for n in range(5)]], fetched_at="2026-01-07T03:00:00+00:00"),
        land("google_ads", "campaigns", [[campaign(n % 5, f"name {n % 4}") for n in range(9)]]),
        land("google_ads", "campaigns", [[campaign(n, "x") for n in range(3)]], fetched_at="2026-01-07T03:00:00+00:00"),
    ]
    assert left_by(reads, QUICK) == left_by(reads, IN_PLACE) == left_by(reads, CAREFUL)


def test_a_first_read_without_doubles_is_copied_into_its_table(land: Land, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_read, "WORTH_FILLING", 0)
    copied: list[str] = []
    copy = copying.copy_read

    def note(loading: Loading, table: sql.Identifier) -> json_rows.Tally:
        copied.append(table.as_string())
        return copy(loading, table)

    for module in (first_read, load):
        monkeypatch.setattr(module, "copy_read", note)
    load.load(land("google_ads", "campaign_stats", [[ad_row(DAYS[1], "1"), ad_row(DAYS[1], "2")]]))
    load.load(land("google_ads", "campaign_stats", [[ad_row(DAYS[1], "1")]], connection_id="other"))
    assert copied == [
        '"raw"."google_ads__campaign_stats"',
        '"pg_temp"."incoming__google_ads__campaign_stats"',
    ]
    assert query("select count(*) from pg_index where indrelid = 'raw.google_ads__campaign_stats'::regclass") == [(2,)]


def test_a_first_read_of_days_that_a_newer_one_knows_as_empty_adds_nothing(
    land: Land, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_read, "WORTH_FILLING", 0)
    load.load(land("google_ads", "campaign_stats", [[]], fetched_at="2026-01-08T03:00:00+00:00"))
    late = load.load(land("google_ads", "campaign_stats", [[ad_row(DAYS[1])]], fetched_at="2026-01-07T03:00:00+00:00"))
    assert (late.rows_loaded, late.rows_superseded) == (1, 1)
    assert query("select count(*) from raw.google_ads__campaign_stats") == [(0,)]


def test_a_read_that_changes_most_is_exchanged_in_place_while_other_readers_see_the_old_rows(
    land: Land, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dated, "WORTH_REWRITING", 0)
    monkeypatch.setattr(dated, "BODIES_WORTH_REWRITING", 0)
    moved: list[int] = []
    move_in = dated._move_in

    def note(exchange: Any, incoming_rows: int) -> int:
        moved.append(incoming_rows)
        return move_in(exchange, incoming_rows)

    monkeypatch.setattr(dated, "_move_in", note)

    def read(day: int, costs: list[int]) -> load.LoadResult:
        rows_of_day = [ad_row(DAYS[1], str(number), cost=str(cost)) for number, cost in enumerate(costs)]
        fetched_at = f"2026-01-{day:02}T03:00:00+00:00"
        return load.load(land("google_ads", "campaign_stats", [rows_of_day], fetched_at=fetched_at))

    read(8, [100] * 20)
    with psycopg.connect(settings.dsn("admin")) as reader:
        reader.execute("set transaction isolation level repeatable read")
        reader.execute("select count(*) from ops.loads")
        changed = read(9, [200] * 19 + [100])
        stored = "select _load_id, count(*) from raw.google_ads__campaign_stats group by 1"
        assert reader.execute(stored).fetchall() == [(1, 20)]
    assert moved == [20]
    assert (changed.rows_loaded, changed.rows_retracted, changed.rows_duplicated) == (20, 0, 0)
    assert query(f"{stored} order by 1") == [(1, 1), (2, 19)]
    read(10, [200] * 18 + [300])
    assert moved == [20, 19]
    assert query(f"{stored} order by 1") == [(2, 18), (3, 1)]
    assert query("select count(*) from pg_index where indrelid = 'raw.google_ads__campaign_stats'::regclass") == [(2,)]
