"""The currency of money comes from the vendor or the connection; without either, the delivery is stopped.

The sandbox's vendors leave the currency out of some rows; the rows go through landing, loading and the gate.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import psycopg
import pytest

from funnel import settings
from funnel.contract import Connection, Window
from funnel.gate import deliveries, errors
from funnel.gate.report import CheckReport, require
from funnel.ingest import landing, load, stated_currency
from funnel.rest.errors import Refused
from funnel.sources import SOURCES
from tests.vendors import Reply, Stub

CASE = "17 no currency"
WINDOW = Window(date(2026, 11, 9), date(2026, 11, 13))
ADVICE = '{"currency": "EUR"}'


@dataclass(frozen=True)
class Left:
    """The stream of a source that lacks its currency, with the vendor's field and our column."""

    stream: str
    field: str
    column: str = "currency_code"
    path: str | None = None


LEFT = {
    "google_ads": Left("campaign_stats", "customer.currencyCode"),
    "meta_ads": Left("insights", "account_currency", "account_currency"),
    "microsoft_ads": Left("campaign_stats", "CurrencyCode"),
    "hubspot": Left("deals", "properties.deal_currency_code", path="batch/read"),
    "salesforce": Left("opportunities", "CurrencyIsoCode"),
    "shopify": Left("orders", "currencyCode"),
}


def deliver(source: str, stream: str, connection: Connection, run: str) -> CheckReport:
    """One stream from the vendor to the gate, and the gate's result for its currency."""
    read = landing.land(SOURCES[source], connection, SOURCES[source].stream(stream), WINDOW, run)
    load.load(read)
    report = deliveries.check_raw(source, run)
    return replace(report, results=tuple(each for each in report.results if each.suite == "currencies"))


def stored(source: str, left: Left, money: str = "true") -> dict[str | None, int]:
    query = f"select nullif({left.column}, ''), count(*) from raw.{source}__{left.stream} where {money} group by 1"
    with psycopg.connect(settings.dsn("loader")) as connection:
        return dict(connection.execute(query.encode()).fetchall())


def has_money(source: str, left: Left) -> str:
    money = SOURCES[source].stream(left.stream).money
    assert money is not None
    return "(" + " or ".join(f"{name} is not null" for name in money.amounts) + ")"


@pytest.mark.parametrize("source", LEFT)
def test_an_amount_without_a_currency_stops_the_delivery_until_it_is_stated(
    warehouse: str, company: Any, source: str, outcome: Callable[[str, str, str], None]
) -> None:
    left = LEFT[source]
    company.handle.set(hubspot_reads_currencies=False)
    if source == "hubspot":
        company.handle.misbehave(source, "home_currency_unstated", None, stream=left.stream, path=left.path)
    else:
        company.handle.misbehave(source, "missing_field", None, stream=left.stream, field=left.field, rows=7)
    connection = company.connection(source)

    report = deliver(source, left.stream, connection, "without")
    (failure,) = report.failures
    known = stored(source, left, has_money(source, left))
    assert failure.unexpected_count == known[None]
    assert 0 < known[None] < sum(known.values())
    assert f"{known[None]} rows of connection {source}" in failure.text
    assert f"Stream {left.stream}" in failure.text
    assert ADVICE in failure.text
    with pytest.raises(errors.GateClosed, match="every amount has a currency"):
        require(report)

    stated = company.connection(source, currency="chf")
    assert not deliver(source, left.stream, stated, "with").failures
    filled = stored(source, left)
    assert None not in filled
    assert filled["CHF"] >= known[None]
    # Once more: no row changes, and none is loaded again.
    with psycopg.connect(settings.dsn("loader")) as loader:
        before = loader.execute(f"select max(_load_id) from raw.{source}__{left.stream}".encode()).fetchone()
    deliver(source, left.stream, stated, "again")
    with psycopg.connect(settings.dsn("loader")) as loader:
        after = loader.execute(f"select max(_load_id) from raw.{source}__{left.stream}".encode()).fetchone()
    assert after == before
    outcome(CASE, source, f"stopped: {known[None]} rows and the connection named; stated: stored with the rows")


def test_the_portals_own_currency_is_asked_for_once(
    warehouse: str, company: Any, outcome: Callable[[str, str, str], None]
) -> None:
    calm = company.connection("hubspot")
    deliver("hubspot", "deals", calm, "calm")
    expected = stored("hubspot", LEFT["hubspot"])
    paths = [one["path"] for one in company.handle.requests()]
    assert not [path for path in paths if "company-currency" in path]
    company.handle.misbehave("hubspot", "home_currency_unstated", None)
    report = deliver("hubspot", "deals", calm, "unstated")
    assert [check.passed for check in report.results] == [True]
    assert stored("hubspot", LEFT["hubspot"]) == expected
    paths = [one["path"] for one in company.handle.requests()]
    assert paths.count("/settings/currencies/2026-09/company-currency") == 1
    # By the older paths, too.
    company.handle.control("DELETE", "requests")
    deliver("hubspot", "deals", company.connection("hubspot", version="v3"), "older")
    assert "/settings/v3/currencies/company-currency" in [one["path"] for one in company.handle.requests()]
    with pytest.raises(Refused, match="the setting currency is EUR, but the vendor says that the currency is USD"):
        deliver("hubspot", "deals", company.connection("hubspot", currency="EUR"), "contradicts")
    outcome(CASE, "hubspot", "without deal_currency_code: the portal's own, from its settings")


def test_a_portal_that_is_not_to_be_asked_warns_and_the_setting_counts(
    warehouse: str, company: Any, caplog: pytest.LogCaptureFixture
) -> None:
    company.handle.set(hubspot_reads_currencies=False)
    company.handle.misbehave("hubspot", "home_currency_unstated", None)
    with caplog.at_level(logging.WARNING):
        assert not deliver("hubspot", "deals", company.connection("hubspot", currency="USD"), "setting").failures
    assert "settings.currencies.read" in caplog.text
    assert None not in stored("hubspot", LEFT["hubspot"])


def test_a_setting_that_is_not_a_currency_is_refused_before_anything_is_asked(warehouse: str, company: Any) -> None:
    for wrong in ("Euro", "EURO", "XYZ", 978):
        with pytest.raises(Refused, match="ISO 4217"):
            deliver("salesforce", "opportunities", company.connection("salesforce", currency=wrong), "wrong")
    assert company.handle.requests() == []


def test_the_setting_of_an_organisation_with_several_currencies_must_be_its_corporate_one(
    warehouse: str, company: Any
) -> None:
    salesforce = SOURCES["salesforce"]
    stream = salesforce.stream("currency_types")
    quarter = Window(date(2026, 1, 1), date(2026, 11, 23))
    read = landing.land(salesforce, company.connection("salesforce", bulk_from_days=999), stream, quarter, "plain")
    corporate = read.currency
    assert corporate is not None
    other = "CHF" if corporate != "CHF" else "EUR"
    with pytest.raises(Refused, match=f"the vendor says that the currency is {corporate}"):
        landing.land(
            salesforce, company.connection("salesforce", currency=other, bulk_from_days=999), stream, quarter, "other"
        )


# An organisation with one currency has no CurrencyIsoCode; an account of LinkedIn states the currency of all its spend.


@pytest.fixture
def stub() -> Any:
    made = Stub()
    yield made
    made.stop()


def opportunity(**fields: Any) -> dict[str, Any]:
    made = {"Id": "006x1", "SystemModstamp": "2026-11-10T10:00:00.000+0000", "IsDeleted": False, "Amount": 500.0}
    return {**made, "CreatedDate": "2026-11-10T09:00:00.000+0000", "StageName": "New", **fields}


@pytest.mark.parametrize("setting", [None, "EUR"])
def test_an_organisation_with_one_currency_takes_it_from_the_setting(
    warehouse: str, stub: Any, setting: str | None
) -> None:
    rows = [opportunity(), opportunity(Id="006x2", Amount=None), opportunity(Id="006x3", Amount=0)]

    def answer(asked: Any) -> Any:
        if asked.path.endswith("/token"):
            return Reply({"access_token": "A1-xxxxxxxx", "instance_url": stub.base_url})
        if asked.path.endswith("/describe"):
            fields = [{"name": name} for name in rows[0]]
            fields += [{"name": name} for name in ("AccountId", "Type", "LeadSource", "IsClosed", "IsWon", "CloseDate")]
            return Reply({"fields": [*fields, *({"name": one} for one in ("Probability", "OwnerId", "ContactId"))]})
        if "CurrencyIsoCode" in asked.params["q"]:
            message = "No such column 'CurrencyIsoCode' on entity 'Opportunity'."
            return Reply([{"message": message, "errorCode": "INVALID_FIELD"}], 400)
        return Reply({"done": True, "totalSize": len(rows), "records": rows})

    stub.answer = answer
    extra = {"currency": setting} if setting else {}
    connection = Connection("salesforce", stub.base_url, "id", "secret-of-it", extra)
    report = deliver("salesforce", "opportunities", connection, "single")
    if setting:
        assert not report.failures
        assert stored("salesforce", LEFT["salesforce"]) == {"EUR": 3}
    else:
        # A deal without an amount needs no currency.
        assert [failure.unexpected_count for failure in report.failures] == [2]


@pytest.mark.parametrize("setting", [None, "EUR"])
def test_an_account_of_linkedin_without_a_currency(
    warehouse: str, stub: Any, setting: str | None, outcome: Callable[[str, str, str], None]
) -> None:
    def answer(asked: Any) -> Any:
        if asked.path == "/token":
            return Reply({"access_token": "A1-xxxxxxxx", "expires_in": 3600})
        return Reply({"id": 1, "name": "Acme", "status": "ACTIVE", "currency": ""})

    stub.answer = answer
    extra = {"refresh_token": "R1-xxxxxxxx", "token_url": f"{stub.base_url}/token", "account_ids": ["1"]}
    extra |= {"currency": setting} if setting else {}
    report = deliver("linkedin_ads", "accounts", Connection("linkedin_ads", stub.base_url, "id", "s", extra), "run")
    if setting:
        assert stored("linkedin_ads", Left("accounts", "")) == {"EUR": 1}
    assert [failure.unexpected_count for failure in report.failures] == ([] if setting else [1])
    outcome(CASE, "linkedin_ads", "stated: stored with the account" if setting else "stopped: 1 row of the connection")


def test_settings_and_vendors_agree_or_are_refused() -> None:
    def connection(**extra: Any) -> Connection:
        return Connection("acme", "https://acme.example", extra=extra)

    assert stated_currency.settled("hubspot", connection(), None) is None
    assert stated_currency.settled("hubspot", connection(), "EUR") == "EUR"
    assert stated_currency.settled("hubspot", connection(currency="eur "), None) == "EUR"
    assert stated_currency.settled("hubspot", connection(currency="EUR"), "EUR") == "EUR"
    with pytest.raises(Refused, match="connection acme"):
        stated_currency.settled("hubspot", connection(currency="EUR"), "USD")


def test_what_is_known_is_kept_with_the_landed_read(warehouse: str, company: Any) -> None:
    connection = company.connection("shopify", currency="EUR")
    read = landing.land(SOURCES["shopify"], connection, SOURCES["shopify"].stream("shops"), WINDOW, "run")
    assert landing.read_manifest(read.path).currency == "EUR"
    manifest = json.loads((landing.root() / read.path / landing.MANIFEST).read_text())
    assert manifest["currency"] == "EUR"


def test_a_deal_that_names_no_currency_is_counted_in_the_portals_own(
    warehouse: str, stub: Any, monkeypatch: pytest.MonkeyPatch, outcome: Callable[[str, str, str], None]
) -> None:
    """The case: an empty text as the currency of 500, in a portal whose currency is not the reporting currency."""
    from funnel.build import dbt_run
    from funnel.ingest import completeness
    from tests.build.builds import only

    monkeypatch.setenv("REPORTING_CURRENCY", "USD")
    deal = {
        "id": "4",
        "updatedAt": "2026-01-10T10:00:00Z",
        "archived": False,
        "properties": {
            "amount": "500",
            "deal_currency_code": "",
            "dealstage": "closedwon",
            "createdate": "2026-01-05T10:00:00Z",
            "closedate": "2026-01-09T10:00:00Z",
            "hs_is_closed": "true",
            "hs_is_closed_won": "true",
        },
        "propertiesWithHistory": {},
    }

    def answer(asked: Any) -> Any:
        if asked.path.endswith("/company-currency"):
            return Reply({"id": "EUR", "createdAt": "2020-01-01T00:00:00Z"})
        if asked.path.endswith(("/search", "/batch/read")) and "associations" not in asked.path:
            return Reply({"total": 1, "results": [deal]})
        return Reply({"results": []})

    stub.answer = answer
    connection = Connection("hubspot", stub.base_url, password="pat-eu1-not-a-real-key")
    january = Window(date(2026, 1, 10), date(2026, 1, 11))
    hubspot = SOURCES["hubspot"]
    load.load(landing.land(hubspot, connection, hubspot.stream("deals"), january, "run"))
    assert not [each for each in deliveries.check_raw("hubspot", "run").failures if each.suite == "currencies"]
    completeness.complete(hubspot, "run")
    monkeypatch.setenv("FUNNEL_TODAY", "2026-01-11")
    with only("fct_opportunities"):
        dbt_run.build()
    query = """
        select shown.amount_local, shown.currency_code, shown.amount = round(500 * rates.rate, 10), rates.rate > 1
        from marts.fct_opportunities as shown
        inner join intermediate.int_currency_rates_daily as rates
            on rates.date_day = shown.closed_date and rates.currency_code = 'EUR'
    """
    with psycopg.connect(warehouse) as admin:
        assert admin.execute(query.encode()).fetchall() == [(500, "EUR", True, True)]
    outcome("17 empty text", "hubspot", "a deal of 500 and an empty currency: 500 EUR, converted at its day's rate")
