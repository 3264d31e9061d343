"""Rows of accounts that were not requested are not retracted: removed, refusing and returning accounts."""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from funnel import ledger, settings
from funnel.contract import AccountRead, AccountRefused, Connection, Fetched, Stream, Window, raw_table
from funnel.gate import deliveries
from funnel.ingest import accounts, completeness, landing, load
from funnel.sources import SOURCES
from funnel.warehouse import connect
from sandbox import truth
from sandbox.worlds import build
from tests.vendors import Company, Stub

DATED = {
    "google_ads": "campaign_stats",
    "meta_ads": "insights",
    "linkedin_ads": "campaign_stats",
    "microsoft_ads": "campaign_stats",
    "ga4": "sessions",
}
LISTED = {"google_ads": "customer_ids", "ga4": "property_ids"}
FIRST, END = date(2026, 11, 1), date(2026, 11, 11)
TEN_DAYS = Window(FIRST, END)
GOOGLE = SOURCES["google_ads"]
CLOSED = {
    "error": {
        "code": 403,
        "message": "The caller does not have permission",
        "status": "PERMISSION_DENIED",
        "details": [
            {"@type": "x", "errors": [{"errorCode": {"authorizationError": "CUSTOMER_NOT_ENABLED"}, "message": "off"}]}
        ],
    }
}


def query(text: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(settings.dsn("admin")) as connection:
        return connection.execute(text.encode()).fetchall()


def content(source: str, stream: str) -> list[tuple[Any, ...]]:
    """Every stored row with the load that wrote it: a row that was written again differs."""
    table = f"raw.{raw_table(SOURCES[source], SOURCES[source].stream(stream))}"
    return query(f"select (to_jsonb(stored) - '_fetched_at')::text from {table} as stored")


def status(source: str) -> dict[str, tuple[str, Any, Any]]:
    return {
        account: (status, last_day, reason)
        for account, status, last_day, reason in query(
            f"select account, status, last_day, reason from ops.accounts where source = '{source}' order by 1"
        )
    }


def at(day: int) -> datetime:
    return datetime(2026, 11, day, 3, tzinfo=UTC)


# The connectors, at the sandbox -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DATED)
def test_an_account_off_the_list_keeps_its_days(
    warehouse: str, company: Company, outcome: Callable[..., None], name: str
) -> None:
    source, setting = SOURCES[name], LISTED.get(name, "account_ids")
    whole = company.connection(name)
    listed = [str(each) for each in whole.extra[setting]]
    assert len(listed) > 1
    window = Window(date(2026, 11, 9), date(2026, 11, 13))
    before = {}
    for stream in source.streams:
        load.load(landing.land(source, whole, stream, window, "all", at(14)))
        before[stream.name] = content(name, stream.name)
    assert len(set(before[DATED[name]])) > 40
    retracted = 0
    for number, account in enumerate(listed):
        left = company.connection(name, **{setting: [each for each in listed if each != account]})
        for stream in source.streams:
            result = load.load(landing.land(source, left, stream, window, f"without {account}", at(15 + number)))
            retracted += result.rows_retracted
            assert sorted(content(name, stream.name)) == sorted(before[stream.name])
    assert retracted == 0
    outcome("03 account off the list", name, "no stored day changes")


def test_an_account_off_the_list_is_named_with_its_last_day(warehouse: str, company: Company) -> None:
    whole = company.connection("google_ads")
    first, *others = (str(each).replace("-", "") for each in whole.extra["customer_ids"])
    stream = GOOGLE.stream("campaign_stats")
    load.load(landing.land(GOOGLE, whole, stream, TEN_DAYS, "all", at(12)))
    left = company.connection("google_ads", customer_ids=[first])
    later = Window(FIRST, date(2026, 11, 15))
    load.load(landing.land(GOOGLE, left, stream, later, "fewer", at(16)))
    assert status("google_ads") == {
        first: ("read", date(2026, 11, 14), None),
        **{other: ("no longer asked", date(2026, 11, 10), None) for other in others},
    }


@pytest.mark.parametrize(
    ("name", "closing_day", "spend", "words"),
    [
        ("google_ads", date(2026, 12, 10), "round(cost_micros / 10000)::bigint", "CUSTOMER_NOT_ENABLED"),
        ("microsoft_ads", date(2026, 12, 4), "round(spend * 100)::bigint", "UserIsNotAuthorized"),
    ],
)
def test_an_account_that_the_company_closes_keeps_its_days_as_the_truth_has_them(
    warehouse: str, company: Company, name: str, closing_day: date, spend: str, words: str
) -> None:
    """Five mornings around the day on which the company's second account closes; it stays on the list for two more
    days.
    """
    source, stream = SOURCES[name], SOURCES[name].stream("campaign_stats")
    known = build("company", company.handle.seed, company.handle.anchor)
    remaining, closing = (account.id for account in known.accounts(name))
    found, morning = {}, closing_day - timedelta(days=1)
    for number in range(5):
        now = datetime(morning.year, morning.month, morning.day, 3, tzinfo=UTC) + timedelta(days=number)
        company.handle.set_now(now.isoformat())
        stored = company.handle.connections()[name]
        connection = Connection(name, stored["host"], stored["login"], stored["password"], stored["extra"])
        window = Window(closing_day - timedelta(days=20), now.date(), until_now=True)
        load.load(landing.land(source, connection, stream, window, f"morning {number}", now))
        found[number] = status(name)[closing]
    last = closing_day - timedelta(days=1)
    assert found[0] == ("read", last - timedelta(days=1), None)
    assert found[1] == ("read", last, None)
    assert found[2][:2] == ("refused", last)
    assert found[3] == found[2]
    assert words in found[3][2]
    assert found[4] == ("no longer asked", last, None)
    assert status(name)[remaining] == ("read", now.date() - timedelta(days=1), None)
    known.grow(int(now.timestamp() * 1000))
    expected = {
        (row.ad_account_id, row.campaign_id, row.day): row.amount * 100
        for row in truth.spend(known, now, closing_day - timedelta(days=20), now.date() - timedelta(days=1))
        if row.platform == name
    }
    id_of = "customer_id" if name == "google_ads" else "account_id"
    kept = query(f"select {id_of}, campaign_id, date, {spend} from raw.{name}__campaign_stats")
    assert {tuple(key): amount for *key, amount in kept} == expected
    assert {day for account, _, day in expected if account == closing} == {
        window.from_day + timedelta(days=number) for number in range(20)
    }


# The steps of case 03, at a stub -----------------------------------------------------------------------------------


def google_row(account: str, campaign: str, day: date, cost: int = 1) -> dict[str, Any]:
    return {
        "customer": {"id": account, "currencyCode": "EUR"},
        "campaign": {"id": campaign},
        "segments": {"date": day.isoformat()},
        "metrics": {"costMicros": str(cost), "impressions": "100", "clicks": "5"},
    }


def serve(vendor: Stub, refuses: tuple[str, ...] = ()) -> None:
    """Account 1 has three campaigns a day, account 2 one."""

    def answer(asked: Any) -> Any:
        if asked.path == "/token":
            return vendor.reply({"access_token": "t", "expires_in": 3600})
        account = asked.path.split("/")[3]
        if account in refuses:
            return vendor.reply(CLOSED, status=403)
        campaigns = ("11", "12", "13") if account == "1" else ("21",)
        rows: list[dict[str, Any]]
        if "segments.date" in asked.json["query"]:
            rows = [google_row(account, campaign, day) for campaign in campaigns for day in TEN_DAYS.days]
        else:
            named = [{"id": one, "name": f"campaign {one}", "status": "ENABLED"} for one in campaigns]
            rows = [{"customer": {"id": account, "timeZone": "Europe/Berlin"}, "campaign": one} for one in named]
        return vendor.reply({"results": rows, "fieldMask": "x"})

    vendor.answer = answer


def test_case_03(warehouse: str, vendor: Stub, outcome: Callable[..., None]) -> None:
    def read(moment: datetime, customer_ids: Any) -> load.LoadResult:
        connection = vendor.connection(customer_ids=customer_ids)
        stream = GOOGLE.stream("campaign_stats")
        load.load(landing.land(GOOGLE, connection, GOOGLE.stream("campaigns"), TEN_DAYS, f"{moment}", moment))
        return load.load(landing.land(GOOGLE, connection, stream, TEN_DAYS, f"{moment}", moment))

    by_account = "select customer_id, count(*) from raw.google_ads__campaign_stats group by 1 order by 1"
    serve(vendor)
    assert read(at(11), ["1", "2"]).rows_loaded == 40
    assert query(by_account) == [("1", 30), ("2", 10)]
    serve(vendor, refuses=("2",))
    assert read(at(12), ["1", "2"]).rows_retracted == 0
    assert query(by_account) == [("1", 30), ("2", 10)]
    refused = query("select status, last_day, reason from ops.accounts where account = '2'")
    assert refused[0][:2] == ("refused", date(2026, 11, 10))
    assert "CUSTOMER_NOT_ENABLED: off What to do: Take this account out of customer_ids" in refused[0][2]
    with connect("loader") as connection:
        assert list(accounts.refused_in(connection, "google_ads", f"{at(12)}")) == [("stub", "2")]
        assert accounts.refused_in(connection, "google_ads", f"{at(11)}") == {}
    assert read(at(13), ["1"]).rows_retracted == 0
    assert query(by_account) == [("1", 30), ("2", 10)]
    assert query("select count(*) from raw.google_ads__campaigns") == [(4,)]
    assert query("select status from ops.accounts where account = '2'") == [("no longer asked",)]
    # The vendor writes 000-000-0002 for an account whose rows say 2.
    serve(vendor)
    assert read(at(14), "1, 2-").rows_quarantined == 0
    assert status("google_ads")["2"] == ("read", date(2026, 11, 10), None)
    outcome("03 closed account", "google_ads", "the others are read, it is named, its days stay")


# Any order ----------------------------------------------------------------------------------------------------------


def read_of(
    moment: datetime, window: Window, asked: dict[str, dict[date, int] | str], stream: str = "campaign_stats"
) -> landing.LandedRead:
    """A landed read of Google accounts: the spend of each by day, or its refusal."""

    def fetch(connection: Connection, stream: Stream, window: Window) -> Iterator[Fetched]:
        for account, days in asked.items():
            if isinstance(days, str):
                yield AccountRefused(account, days)
                continue
            rows = [google_row(account, f"{account}1", day, cost) for day, cost in days.items() if day in window.days]
            yield json.dumps({"results": rows}).encode()
            yield AccountRead(account)

    source = replace(GOOGLE, fetch=fetch)
    connection = Connection("google_ads", "http://vendor.invalid")
    return landing.land(source, connection, GOOGLE.stream(stream), window, f"run {moment}", moment)


def day(number: int) -> date:
    return date(2026, 11, number)


def test_reads_of_different_accounts_give_the_same_rows_in_any_order(warehouse: str) -> None:
    whole = Window(day(1), day(4))
    reads = [
        read_of(at(5), whole, {"1": {day(1): 1, day(2): 1}, "2": {day(1): 1, day(2): 1}}),
        read_of(at(6), whole, {"2": {day(1): 2}}),
        read_of(at(7), Window(day(2), day(3)), {"1": {day(2): 3}, "2": "closed"}),
        read_of(at(8), Window(day(1), day(2)), {"1": {}, "3": {day(1): 4}}),
    ]
    spent = "select date::text, customer_id, cost_micros from raw.google_ads__campaign_stats order by 1, 2"
    outcomes, statuses = set(), set()
    for order in itertools.permutations(reads):
        # The first one arrives twice.
        for landed in (*order, order[0]):
            load.load(landed)
        outcomes.add(tuple(query(spent)))
        statuses.add(json.dumps(status("google_ads"), default=str))
        with psycopg.connect(settings.dsn("admin")) as connection:
            connection.execute(
                "truncate raw.google_ads__campaign_stats, ops.loads, ops.loaded_days, ops.account_reads, "
                "ops.day_changes cascade"
            )
    assert outcomes == {(("2026-11-01", "2", 2), ("2026-11-01", "3", 4), ("2026-11-02", "1", 3))}
    assert len(statuses) == 1


def test_rows_of_an_account_that_was_not_asked_for_are_quarantined(warehouse: str) -> None:
    def fetch(connection: Connection, stream: Stream, window: Window) -> Iterator[Fetched]:
        yield json.dumps({"results": [google_row("1", "11", day(1)), google_row("9", "91", day(1))]}).encode()
        yield AccountRead("1")

    connection = Connection("google_ads", "http://vendor.invalid")
    source, window = replace(GOOGLE, fetch=fetch), Window(day(1), day(2))
    stream = GOOGLE.stream("campaign_stats")
    result = load.load(landing.land(source, connection, stream, window, "run", at(2)))
    assert (result.rows_read, result.rows_loaded, result.rows_quarantined) == (2, 1, 1)
    held = "select column_name, reason, replayed_at is null from ops.quarantine"
    assert query(held) == [("customer_id", "is 9, an account that was not asked for", True)]
    # A read of account 1 does not concern a row of account 9; a read of account 9 does.
    load.load(read_of(at(3), window, {"1": {day(1): 1}}))
    assert query(held)[0][2] is True
    load.load(read_of(at(4), window, {"9": {day(1): 1}}))
    assert query(held)[0][2] is False


def test_days_read_before_accounts_were_distinguished_stay_right(warehouse: str) -> None:
    """In an older warehouse a day is covered for the whole connection."""
    window = Window(day(1), day(3))
    load.load(read_of(at(5), window, {"1": {day(1): 5, day(2): 5}, "2": {day(1): 5, day(2): 5}}))
    with psycopg.connect(settings.dsn("admin")) as connection:
        connection.execute("delete from ops.loaded_days where account = '2'")
        connection.execute("update ops.loaded_days set account = ''")
    older = load.load(read_of(at(4), window, {"1": {day(1): 4}, "2": {day(2): 4}}))
    assert (older.rows_superseded, older.rows_retracted) == (2, 0)
    newer = load.load(read_of(at(6), window, {"1": {day(1): 6}}))
    assert newer.rows_retracted == 1
    spent = "select date::text, customer_id, cost_micros from raw.google_ads__campaign_stats order by 1, 2"
    assert query(spent) == [("2026-11-01", "1", 6), ("2026-11-01", "2", 5), ("2026-11-02", "2", 5)]


def test_an_account_that_is_read_for_the_first_time_moves_no_day(warehouse: str) -> None:
    window = Window(day(1), day(5))
    spent = {day(number): 1 for number in range(1, 5)}
    load.load(read_of(at(6), window, {"1": spent}))
    load.load(read_of(at(7), window, {"1": spent, "2": spent}))
    assert query("select count(*), sum(rows_changed) from ops.day_changes") == [(4, 0)]
    load.load(read_of(at(8), window, {"1": spent, "2": {**spent, day(2): 7}}))
    changed = "select date_day, rows_changed from ops.day_changes where fetched_at::date = '2026-11-08' order by 1"
    assert [rows for _, rows in query(changed)] == [0, 1, 0, 0]


def test_days_that_an_account_missed_are_read_again_when_it_answers(warehouse: str) -> None:
    def missed(today: int) -> date | None:
        with connect("loader") as connection:
            return accounts.first_missed_day(connection, "google_ads", "google_ads", day(today))

    spent = {day(number): 1 for number in range(1, 20)}
    load.load(read_of(at(4), Window(day(1), day(4)), {"1": spent, "2": spent}))
    for number in (4, 5, 6):
        load.load(read_of(at(number + 1), Window(day(number), day(number + 1)), {"1": spent, "2": "closed"}))
    # While it refuses, no window grows; nor for an account that was never read on those days.
    assert missed(7) is None
    load.load(read_of(at(8), Window(day(7), day(8)), {"1": spent, "2": spent, "3": spent}))
    assert missed(8) == day(4)
    load.create_tables([GOOGLE])
    completeness.complete(GOOGLE, f"run {at(8)}")
    assert completeness.last_day_complete("google_ads", "google_ads") == day(3), (
        "the next scheduled run begins behind it"
    )
    load.load(read_of(at(9), Window(day(4), day(9)), {"1": spent, "2": spent, "3": spent}))
    assert missed(9) is None


def test_statistics_without_a_row_of_an_account_that_had_some_are_a_refusal(
    warehouse: str, outcome: Callable[..., None]
) -> None:
    linkedin = SOURCES["linkedin_ads"]
    stream = linkedin.stream("campaign_stats")

    def land(moment: datetime, campaigns: dict[str, list[str]]) -> load.LoadResult:
        def fetch(connection: Connection, stream: Stream, window: Window) -> Iterator[Fetched]:
            for account, ids in campaigns.items():
                elements = [
                    {
                        "dateRange": {"start": {"year": 2026, "month": 11, "day": 1}},
                        "pivotValues": [f"urn:li:sponsoredCampaign:{one}"],
                        "costInLocalCurrency": "1.5",
                    }
                    for one in ids
                ]
                yield json.dumps({"account": account, "elements": elements}).encode()
                yield AccountRead(account)

        connection = Connection("linkedin_ads", "http://vendor.invalid")
        window = Window(day(1), day(2))
        return load.load(
            landing.land(replace(linkedin, fetch=fetch), connection, stream, window, f"run {moment}", moment)
        )

    assert land(at(2), {"1": ["11"], "2": ["21", "22"], "3": []}).rows_loaded == 3
    assert land(at(3), {"1": ["11"], "2": [], "3": []}).rows_retracted == 0
    found = status("linkedin_ads")
    assert {account: each[0] for account, each in found.items()} == {"1": "read", "2": "refused", "3": "read"}
    assert "2 are stored for these days" in found["2"][2]
    # An account with one campaign less has access.
    assert land(at(4), {"1": ["11"], "2": ["21"], "3": []}).rows_retracted == 1
    assert query("select campaign_id, account_id from raw.linkedin_ads__campaign_stats order by 1") == [
        ("11", "1"),
        ("21", "2"),
    ]
    outcome("03 empty answer without access", "linkedin_ads", "it is named, its days stay")


def test_statistics_without_an_account_get_the_one_that_a_read_names(warehouse: str) -> None:
    """Rows loaded before LinkedIn's statistics were stored with their account."""
    test_statistics_without_a_row_of_an_account_that_had_some_are_a_refusal(warehouse, lambda *seen: None)
    with psycopg.connect(settings.dsn("admin")) as connection:
        connection.execute("update raw.linkedin_ads__campaign_stats set account_id = null")
    source = SOURCES["linkedin_ads"]
    stream = source.stream("campaign_stats")

    def fetch(connection: Connection, stream: Stream, window: Window) -> Iterator[Fetched]:
        element = {
            "dateRange": {"start": {"year": 2026, "month": 11, "day": 1}},
            "pivotValues": ["urn:li:sponsoredCampaign:11"],
            "costInLocalCurrency": "9",
        }
        yield json.dumps({"account": "1", "elements": [element]}).encode()
        yield AccountRead("1")

    window = Window(day(1), day(2))
    linkedin = Connection("linkedin_ads", "http://vendor.invalid")
    load.load(landing.land(replace(source, fetch=fetch), linkedin, stream, window, "run", at(9)))
    assert query(
        "select campaign_id, account_id, cost_in_local_currency::int from raw.linkedin_ads__campaign_stats order by 1"
    ) == [("11", "1", 9), ("21", None, 2)]


def test_versions_of_campaigns_are_kept_whatever_is_asked_for(warehouse: str) -> None:
    window = Window(day(1), day(2))
    load.load(read_of(at(2), window, {"1": {day(1): 1}, "2": {day(1): 1}}, "campaigns"))
    load.load(read_of(at(3), window, {"1": {day(1): 1}, "2": "closed"}, "campaigns"))
    load.load(read_of(at(4), window, {"1": {day(1): 1}}, "campaigns"))
    campaigns = "select customer_id, count(*) from raw.google_ads__campaigns group by 1 order by 1"
    assert query(campaigns) == [("1", 1), ("2", 1)]


def test_an_older_warehouse_is_migrated_with_what_it_knows(warehouse: str) -> None:
    """Its days are covered for all accounts; its accounts and LinkedIn's campaigns come from their rows."""
    window = Window(day(1), day(3))
    load.load(read_of(at(5), window, {"1": {day(1): 5}, "2": {day(1): 5, day(2): 5}}))
    load.create_tables()
    with psycopg.connect(settings.dsn("admin")) as connection:
        connection.execute(
            """
            drop view ops.accounts;
            drop table ops.account_reads;
            alter table ops.loads drop column accounts, drop column refused;
            delete from ops.loaded_days where account = '2';
            alter table ops.loaded_days drop constraint loaded_days_pkey;
            alter table ops.loaded_days drop column account;
            alter table ops.loaded_days add primary key (source, connection_id, stream, date_day);
            alter table raw.linkedin_ads__campaign_stats drop column account_id;
            insert into raw.linkedin_ads__campaign_stats (_connection_id, campaign_id, date, _fetched_at)
            values
                ('linkedin_ads', '11', '2026-11-01', '2026-11-02'),
                ('linkedin_ads', '99', '2026-11-01', '2026-11-02');
            insert into raw.linkedin_ads__campaigns (_connection_id, account_id, campaign_id, _fetched_at)
            values ('linkedin_ads', '7', '11', '2026-11-02');
            """
        )
        migration = next(ledger.MIGRATIONS.glob("0013_*.sql")).read_text()
        connection.execute(migration.encode())
    assert query("select distinct account from ops.loaded_days") == [("",)]
    assert query("select campaign_id, account_id from raw.linkedin_ads__campaign_stats order by 1") == [
        ("11", "7"),
        ("99", None),
    ]
    assert status("google_ads") == {"1": ("read", day(1), None), "2": ("read", day(2), None)}
    load.load(read_of(at(6), window, {"2": {day(2): 6}}))
    assert status("google_ads") == {"1": ("no longer asked", day(1), None), "2": ("read", day(2), None)}
    spent = "select date::text, customer_id, cost_micros from raw.google_ads__campaign_stats order by 1, 2"
    assert query(spent) == [("2026-11-01", "1", 5), ("2026-11-02", "2", 6)]


# Two rows of one key, and clocks ------------------------------------------------------------------------------------


def test_different_rows_of_one_key_are_reported_with_the_numbers_of_both(
    warehouse: str, caplog: pytest.LogCaptureFixture, outcome: Callable[..., None]
) -> None:
    def fetch(connection: Connection, stream: Stream, window: Window) -> Iterator[Fetched]:
        for costs in ((7, 1), (8, 1)):
            rows = [google_row("1", f"1{number}", day(1), cost) for number, cost in enumerate(costs)]
            yield json.dumps({"results": rows}).encode()
        yield AccountRead("1")

    connection = Connection("google_ads", "http://vendor.invalid")
    stream = GOOGLE.stream("campaign_stats")
    landed = landing.land(replace(GOOGLE, fetch=fetch), connection, stream, Window(day(1), day(2)), "run", at(2))
    result = load.load(landed)
    assert (result.rows_read, result.rows_loaded, result.rows_duplicated) == (4, 4, 2)
    ((keys, conflicts),) = query("select rows_conflicting, conflicts from ops.loads")
    assert keys == 1, "a row that is only repeated is no conflict"
    assert [figures["cost_micros"] for figures in conflicts[0]["figures"]] == ["7", "8"]
    assert conflicts[0]["day"] == "2026-11-01"
    assert len(conflicts[0]["hashed_key"]) == 32
    assert "1 keys have different rows in one read" in caplog.text
    assert "'cost_micros': '7'" in caplog.text
    report = deliveries.check_raw("google_ads", "run")
    told = [each for each in report.warnings if "two different rows" in str(each)]
    assert len(told) == 1
    outcome("two rows of one key and day", "google_ads", "the last is kept, both figures are told")


def test_a_clock_that_was_ahead_hides_no_later_read(
    warehouse: str, caplog: pytest.LogCaptureFixture, outcome: Callable[..., None]
) -> None:
    window = Window(day(1), day(2))
    name = ("google_ads", "google_ads", "campaign_stats")
    load.load(read_of(datetime.now(UTC) + timedelta(hours=2), window, {"1": {day(1): 1}}))
    moment = completeness.moment_of_read(*name)
    assert "a clock was ahead" in caplog.text
    result = load.load(read_of(moment, window, {"1": {day(1): 2}}))
    assert (result.rows_loaded, result.rows_superseded) == (1, 0)
    assert query("select cost_micros from raw.google_ads__campaign_stats") == [(2,)]
    assert completeness.moment_of_read(*name) > moment
    # If no clock was ahead, it is the warehouse's clock.
    assert abs(completeness.moment_of_read("meta_ads", "meta_ads", "insights") - datetime.now(UTC)) < timedelta(
        minutes=1
    )
    outcome("a clock two hours ahead", "google_ads", "later reads count")
