"""Every stream of every source, read in full from the sandbox in pages small enough to need several."""

from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from funnel.contract import Connection, Stream, Window
from funnel.rest import client, errors, messages
from funnel.rest.accounts import bodies as bodies_of
from funnel.sources import SOURCES
from sandbox import credentials
from sandbox.clock import day_of, iso, moment
from tests.vendors import Reply, Stub

QUARTER = Window(date(2026, 8, 25), date(2026, 11, 23))
WEEK = Window(date(2026, 11, 9), date(2026, 11, 16))

# Files are read from a folder, and tested there.
VENDORS = [source for source in SOURCES.values() if source.name != "files"]
STREAMS = [(source.name, stream.name) for source in VENDORS for stream in source.streams]
DATED = [(source.name, stream.name) for source in VENDORS for stream in source.streams if stream.kind == "dated"]
AD_STATISTICS = {
    "google_ads": "campaign_stats",
    "meta_ads": "insights",
    "linkedin_ads": "campaign_stats",
    "microsoft_ads": "campaign_stats",
}
# Lists that are read whole, and records of which there are less than two pages in a week.
READ_OVER_A_QUARTER = {
    *("campaigns", "accounts", "users", "owners", "properties"),
    *("line_items", "calls", "emails", "meetings"),
    *("products", "currency_types", "currency_rates"),
}
# A connection is one shop; the company sells four products through one pipeline, in four currencies.
SHORT_LISTS = {"shops", "pipelines", "products", "currency_types"}
# Objects and sObjects as the sandbox's scenario names them.
TABLES = {
    ("salesforce", "leads"): "Lead",
    ("salesforce", "contacts"): "Contact",
    ("salesforce", "accounts"): "Account",
    ("salesforce", "opportunities"): "Opportunity",
    ("salesforce", "opportunity_contact_roles"): "OpportunityContactRole",
    ("salesforce", "opportunity_history"): "OpportunityHistory",
    ("salesforce", "lead_history"): "LeadHistory",
    ("salesforce", "tasks"): "Task",
    ("salesforce", "events"): "Event",
    ("salesforce", "opportunity_line_items"): "OpportunityLineItem",
    ("salesforce", "products"): "Product2",
    ("salesforce", "campaigns"): "Campaign",
    ("salesforce", "campaign_members"): "CampaignMember",
    ("salesforce", "currency_types"): "CurrencyType",
    ("salesforce", "currency_rates"): "DatedConversionRate",
    ("salesforce", "users"): "User",
}


def in_small_pages(company: Any, source: str) -> Connection:
    """A connection whose reads take several pages of every list that holds more than a few records."""
    if source == "google_ads":
        company.handle.set(google_page_size=5)
        return company.connection(source)
    if source == "salesforce":
        company.handle.set(salesforce_page_size=5, salesforce_bulk_page_size=5)
        return company.connection(source)
    if source == "linkedin_ads":
        company.handle.set(linkedin_max_elements=20)
        return company.connection(source, page_size=5, max_elements=20)
    if source == "exchange_rates":
        return company.connection(source, page_size=1, currencies="AUD, gbp")
    return company.connection(source, page_size=5)


def read(source: str, stream: str, connection: Connection, window: Window) -> list[list[dict[str, Any]]]:
    """Records, body by body."""
    declared = SOURCES[source].stream(stream)
    bodies = bodies_of(SOURCES[source].fetch(connection, declared, window))
    return [list(SOURCES[source].records(declared, body)) for body in bodies]


def key_of(stream: Stream, record: dict[str, Any]) -> tuple[str, ...]:
    paths = {column.name: column.path for column in stream.columns}
    return tuple(str(messages.value_at(record, paths[name])) for name in stream.key)


def midnight(day: date) -> int:
    return moment(f"{day}T00:00:00Z")


def expected_keys(company: Any, source: str, stream: str, window: Window) -> set[tuple[str, ...]]:
    """The keys of the scenario in the window, computed without HTTP."""
    start, end = midnight(window.from_day), midnight(window.to_day)
    if source in AD_STATISTICS:
        accounts = company.scenario.accounts(source)
        if stream == "accounts":
            return {(account.id,) for account in accounts}
        if stream == "campaigns" and source == "microsoft_ads":
            # Its report names the campaigns that were shown in the window.
            return {
                (account.id, campaign.id)
                for account in accounts
                for campaign in account.campaigns
                if any(account.report(campaign, day, company.now) for day in window.days)
            }
        if stream == "campaigns":
            return {
                (account.id, campaign.id)
                for account in accounts
                for campaign in account.campaigns
                if campaign.is_listed(company.now)
            }
        return {
            (campaign.id, str(day)) if source == "linkedin_ads" else (account.id, campaign.id, str(day))
            for account in accounts
            for campaign in account.campaigns
            for day in window.days
            if account.report(campaign, day, company.now)
        }
    if source == "shopify":
        if stream == "shops":
            return {(f"gid://shopify/Shop/{company.scenario.shop.id}",)}
        states = company.scenario.shop.orders.snapshot(company.now)
        return {(state.id,) for state in states if start <= state.modified < end}
    if source == "exchange_rates":
        return {(currency, str(day)) for currency in ("AUD", "GBP", "USD") for day in window.days if day.weekday() < 5}
    if source == "ga4":
        if stream == "properties":
            return {(one.id,) for one in company.scenario.properties}
        return {
            (
                one.id,
                str(day),
                visit.group,
                visit.source,
                visit.medium,
                visit.campaign_id,
                visit.campaign_name,
                visit.country,
            )
            for one in company.scenario.properties
            for day in window.days
            for visit in one.report(day, company.now).visits
        }
    if stream == "contact_events":
        return {(event.id, iso(event.at)) for event in company.scenario.events if start <= event.at < end}
    if stream == "pipelines":
        return {("default",)}
    if source == "hubspot":
        states = company.scenario.hubspot[stream].snapshot(company.now)
        return {
            (state.id,)
            for state in states
            if not state.merged and (state.removed or stream == "owners" or start <= state.modified < end)
        }
    states = company.scenario.salesforce[TABLES[source, stream]].snapshot(company.now)
    if stream == "lead_history":
        fields = {"created", "leadConverted", "leadMerged", "Owner", "Status"}
        return {(state.id,) for state in states if start <= state.created < end and state.fields.get("Field") in fields}
    return {(state.id,) for state in states if start <= state.modified < end}


@pytest.mark.parametrize(("source", "stream"), STREAMS)
def test_every_record_is_read_to_the_last_row_of_the_last_page(company: Any, source: str, stream: str) -> None:
    window = QUARTER if stream in READ_OVER_A_QUARTER else WEEK
    declared = SOURCES[source].stream(stream)
    changed = {"currencies": ["AUD", "GBP", "USD"]} if source == "exchange_rates" else {}
    whole = [record for page in read(source, stream, company.connection(source, **changed), window) for record in page]
    pages = read(source, stream, in_small_pages(company, source), window)
    paged = [record for page in pages for record in page]

    assert len([page for page in pages if page]) >= (1 if stream in SHORT_LISTS else 2)
    assert Counter(key_of(declared, record) for record in paged).most_common(1)[0][1] == 1
    assert {key_of(declared, record) for record in paged} == expected_keys(company, source, stream, window)
    assert paged[-1] == whole[-1]
    assert paged == whole


@pytest.mark.parametrize(("source", "stream"), AD_STATISTICS.items())
def test_spend_is_what_the_accounts_spent_to_the_cent(company: Any, source: str, stream: str) -> None:
    spent: Counter[tuple[str, str]] = Counter()
    accounts_of_campaigns = {
        campaign.id: account for account in company.scenario.accounts(source) for campaign in account.campaigns
    }
    for page in read(source, stream, company.connection(source), QUARTER):
        for row in page:
            if source == "google_ads":
                cents = int(row["metrics"]["costMicros"]) // 10_000
                spent[row["customer"]["id"], row["customer"]["currencyCode"]] += cents
            elif source == "linkedin_ads":
                account = accounts_of_campaigns[row["campaign_id"]]
                spent[account.id, account.currency] += int(row["costInLocalCurrency"].replace(".", ""))
            elif source == "microsoft_ads":
                spent[row["AccountId"], row["CurrencyCode"]] += int(row["Spend"].replace(".", ""))
            else:
                units, _, fraction = row["spend"].partition(".")
                spent[row["account_id"], row["account_currency"]] += int(units) * 100 + int(fraction.ljust(2, "0"))
    assert spent == {
        (account.id, account.currency): sum(
            figures.spend_cents
            for campaign in account.campaigns
            for day in QUARTER.days
            if (figures := account.report(campaign, day, company.now))
        )
        for account in company.scenario.accounts(source)
    }


@pytest.mark.parametrize(("source", "stream"), AD_STATISTICS.items())
def test_a_window_holds_exactly_its_days_in_every_accounts_zone(company: Any, source: str, stream: str) -> None:
    """Late in the evening in London it is already tomorrow in Berlin."""
    late = "2026-11-22T23:30:00Z"
    company.handle.set_now(late)
    window = Window(date(2026, 11, 20), date(2026, 11, 24))
    rows = [row for page in read(source, stream, company.connection(source), window) for row in page]
    accounts_of_campaigns = {
        campaign.id: account.id for account in company.scenario.accounts(source) for campaign in account.campaigns
    }
    seen: dict[str, set[str]] = {}
    for row in rows:
        key = key_of(SOURCES[source].stream(stream), row)
        account = accounts_of_campaigns[key[-2]]
        seen.setdefault(account, set()).add(key[-1])
    zones = {account.id: account.time_zone for account in company.scenario.accounts(source)}
    assert seen == {
        account: {str(day) for day in window.days if day <= day_of(moment(late), zone)}
        for account, zone in zones.items()
    }
    assert source != "google_ads" or len({max(days) for days in seen.values()}) == 2


@pytest.mark.parametrize(("source", "stream"), DATED)
def test_adjoining_windows_share_no_dated_row_and_miss_none(company: Any, source: str, stream: str) -> None:
    declared = SOURCES[source].stream(stream)
    connection = company.connection(source)

    def keys(window: Window) -> list[tuple[str, ...]]:
        return sorted(key_of(declared, row) for page in read(source, stream, connection, window) for row in page)

    middle = date(2026, 11, 12)
    halves = keys(Window(WEEK.from_day, middle)) + keys(Window(middle, WEEK.to_day))
    assert sorted(halves) == keys(WEEK)


def test_search_goes_on_where_hubspot_ends_it(company: Any) -> None:
    company.handle.set(hubspot_search_cap=40)
    declared = SOURCES["hubspot"].stream("companies")
    connection = company.connection("hubspot", page_size=20)
    rows = [row for page in read("hubspot", "companies", connection, QUARTER) for row in page]
    expected = expected_keys(company, "hubspot", "companies", QUARTER)
    assert len(expected) > 40
    assert {key_of(declared, row) for row in rows} == expected


def test_history_comes_with_contacts_and_deals(company: Any) -> None:
    for stream, name in (("contacts", "lifecyclestage"), ("deals", "dealstage")):
        rows = [row for page in read("hubspot", stream, company.connection("hubspot"), WEEK) for row in page]
        assert all(row["propertiesWithHistory"][name] for row in rows if row["properties"][name])
        assert max(len(row["propertiesWithHistory"].get(name) or ()) for row in rows) > 1


def test_records_come_with_what_they_are_associated_with(company: Any) -> None:
    """Also if one record's associations fill pages of their own."""
    company.handle.set(hubspot_association_page_size=1)
    for version in ("2026-09", "v3"):
        connection = company.connection("hubspot", version=version)
        deals = [row for page in read("hubspot", "deals", connection, QUARTER) for row in page if not row["archived"]]
        found = {row["id"]: [one["toObjectId"] for one in row["associations"]["contacts"]] for row in deals}
        states = company.scenario.hubspot["deals"].snapshot(company.now)
        live = [state for state in states if not (state.removed or state.merged)]
        assert found == {state.id: list(state.fields["_contacts"]) for state in live}
        assert max(map(len, found.values())) == 2
        assert min(map(len, found.values())) == 0
    lines = [row for page in read("hubspot", "line_items", connection, QUARTER) for row in page if not row["archived"]]
    states = company.scenario.hubspot["line_items"].snapshot(company.now)
    # Lines of a merged deal belong to its survivor.
    living = {deal["id"]: deal["id"] for deal in deals}
    tables = company.scenario.hubspot["deals"]
    living |= {
        one.id: one.fields["_survivor"]
        for one in tables.snapshot(company.now)
        if one.merged and "_survivor" in one.fields
    }
    assert {row["id"]: row["associated"]["deals"] for row in lines} == {
        state.id: living.get(state.fields["_deal"]) for state in states if not state.removed
    }


def test_an_organisation_with_one_currency_has_no_rates(company: Any, vendor: Stub) -> None:
    refusal = [{"message": "sObject type 'DatedConversionRate' is not supported.", "errorCode": "INVALID_TYPE"}]
    token = {"access_token": "t", "instance_url": vendor.base_url}
    vendor.answer = lambda asked: Reply(token) if asked.path == "/token" else Reply(refusal, 400)
    for stream in ("currency_types", "currency_rates"):
        assert read("salesforce", stream, vendor.connection(), QUARTER) == []
    with pytest.raises(errors.Refused, match="read access to this object"):
        read("salesforce", "campaigns", vendor.connection(), QUARTER)
    assert read("salesforce", "campaigns", vendor.connection(campaigns=False), QUARTER) == []
    assert read("salesforce", "products", vendor.connection(products=False), QUARTER) == []


def test_a_portal_may_have_no_engagements_and_no_line_items(company: Any) -> None:
    connection = company.connection("hubspot", engagements=False, line_items=False)
    for stream in ("calls", "emails", "meetings", "line_items"):
        assert read("hubspot", stream, connection, QUARTER) == []
    assert read("hubspot", "pipelines", connection, QUARTER) != []


def test_an_app_of_hubspot_renews_its_token(company: Any, slept: list[float]) -> None:
    expected = read("hubspot", "owners", company.connection("hubspot"), WEEK)
    key = company.connection("hubspot", refresh_token=credentials.HUBSPOT_REFRESH_TOKEN)
    app = replace(key, login=credentials.HUBSPOT_CLIENT_ID, password=credentials.HUBSPOT_CLIENT_SECRET)
    assert read("hubspot", "owners", app, WEEK) == expected
    company.handle.misbehave("hubspot", "expired_authentication", 2, path="/owners")
    company.handle.control("DELETE", "requests")
    assert read("hubspot", "owners", app, WEEK) == expected
    asked = [one["path"] for one in company.handle.requests()]
    assert asked.count("/oauth/2026-09/token") == 2
    removed = replace(app, extra={**app.extra, "refresh_token": "of-an-app-that-was-removed"})
    with pytest.raises(errors.DeadToken, match="install it again"):
        read("hubspot", "owners", removed, WEEK)
    # The new token was sent once more before it was renewed, and the dead login was tried once more.
    assert slept == [client.REFUSAL_PAUSE] * 2


def test_archived_and_deleted_records_are_read(company: Any) -> None:
    contacts = [row for page in read("hubspot", "contacts", company.connection("hubspot"), QUARTER) for row in page]
    assert {row["archived"] for row in contacts} == {False, True}
    by_rest = company.connection("salesforce", bulk_from_days=365)
    leads = [row for page in read("salesforce", "leads", by_rest, QUARTER) for row in page]
    assert {row["IsDeleted"] for row in leads} == {False, True}
    assert any(row["MasterRecordId"] for row in leads)


def test_nothing_but_declared_fields_is_asked_for(company: Any) -> None:
    """Names and phone numbers of people are not even requested."""
    for source, stream in (("hubspot", "contacts"), ("salesforce", "leads"), ("salesforce", "contacts")):
        declared = {column.path.rpartition(".")[2] for column in SOURCES[source].stream(stream).columns}
        for page in read(source, stream, company.connection(source), WEEK):
            for row in page:
                sent = set(row["properties"] if source == "hubspot" else row)
                assert sent - declared <= {"hs_object_id", "attributes"}


def test_a_connection_over_tls_needs_the_authority_it_names(company: Any) -> None:
    handle = company.handle
    plain = company.connection("hubspot")
    trusted = replace(plain, base_url=handle.tls_url, extra={**plain.extra, "ca_file": str(handle.ca_file)})
    assert read("hubspot", "owners", trusted, WEEK) == read("hubspot", "owners", plain, WEEK)
    with pytest.raises(errors.Refused, match="ca_file"):
        read("hubspot", "owners", replace(plain, base_url=handle.tls_url), WEEK)
    with pytest.raises(errors.Refused, match="cannot be read"):
        read("hubspot", "owners", replace(plain, extra={"ca_file": "/nowhere/ca.pem"}), WEEK)


@pytest.mark.parametrize(
    ("source", "stream", "version"),
    [
        ("google_ads", "campaigns", "v19"),
        ("meta_ads", "campaigns", "v20.0"),
        ("linkedin_ads", "campaigns", "202511"),
        ("microsoft_ads", "campaigns", "v12"),
        ("hubspot", "owners", "2019-01"),
        ("salesforce", "users", "v29.0"),
        ("ga4", "properties", "v3"),
        ("shopify", "shops", "v1"),
    ],
)
def test_sunset_version_is_refused_and_the_setting_named(
    company: Any, slept: list[float], source: str, stream: str, version: str
) -> None:
    with pytest.raises(errors.Refused, match="version"):
        read(source, stream, company.connection(source, version=version), WEEK)
    assert slept == []


@pytest.mark.parametrize(("source", "stream"), [("google_ads", "campaign_stats"), ("meta_ads", "insights")])
def test_days_older_than_the_vendor_keeps_are_refused(
    company: Any, slept: list[float], source: str, stream: str
) -> None:
    old = Window(date(2023, 1, 1), date(2023, 1, 2))
    with pytest.raises(errors.Refused, match="last 37 months"):
        read(source, stream, company.connection(source), old)
    assert slept == []


@pytest.mark.parametrize(
    ("grant", "extra"),
    [
        ("refresh_token", {"refresh_token": "5Aep861sandboxRefresh"}),
        ("jwt-bearer", {"username": "integration@company.example"}),
    ],
)
def test_every_way_into_salesforce_opens_it(company: Any, grant: str, extra: dict[str, Any]) -> None:
    if grant == "jwt-bearer":
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        key = rsa.generate_private_key(65537, 2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        extra = {**extra, "private_key": pem.decode()}
    connection = company.connection("salesforce", grant_type=grant, **extra)
    assert read("salesforce", "users", connection, QUARTER) == read(
        "salesforce", "users", company.connection("salesforce"), QUARTER
    )


def test_a_connection_that_cannot_work_says_which_setting(company: Any) -> None:
    for source, stream, extra, word in (
        ("google_ads", "campaigns", {"customer_ids": []}, "customer_ids"),
        ("meta_ads", "campaigns", {"account_ids": []}, "account_ids"),
        ("linkedin_ads", "campaigns", {"account_ids": []}, "account_ids"),
        ("microsoft_ads", "campaigns", {"account_ids": []}, "account_ids"),
        ("salesforce", "users", {"grant_type": "password"}, "grant_type"),
        ("ga4", "properties", {"property_ids": []}, "property_ids"),
        ("ga4", "properties", {"property_ids": ["G-12345"]}, "permissions"),
        ("ga4", "properties", {"grant_type": "password"}, "grant_type"),
        ("ga4", "properties", {"key_file": "/nowhere/key.json"}, "key_file"),
        ("salesforce", "users", {"grant_type": "jwt-bearer"}, "private_key"),
        ("salesforce", "users", {"grant_type": "jwt-bearer", "username": "u", "private_key": "x"}, "private_key"),
    ):
        with pytest.raises(errors.Refused, match=word):
            read(source, stream, company.connection(source, **extra), WEEK)
    for broken, word in (({"password": "no key"}, "private key"), ({"login": None}, "service account")):
        with pytest.raises(errors.Refused, match=word):
            read("ga4", "properties", replace(company.connection("ga4"), **broken), WEEK)
    with pytest.raises(errors.Refused, match="credentials"):
        read("shopify", "shops", replace(company.connection("shopify"), login=None, password=None), WEEK)
    with pytest.raises(errors.Refused, match="with its scheme"):
        read("hubspot", "owners", replace(company.connection("hubspot"), base_url="api.hubapi.com"), WEEK)


@pytest.mark.parametrize("stream", ["deals", "calls", "line_items"])
def test_fields_that_the_connector_adds_are_not_new_fields(company: Any, stream: str) -> None:
    from funnel.ingest import json_rows

    source, declared = SOURCES["hubspot"], SOURCES["hubspot"].stream(stream)
    bodies = list(bodies_of(source.fetch(company.connection("hubspot"), declared, WEEK)))
    tally = json_rows.Tally()
    read = sum(
        text.count("\n") for text in json_rows.lines(source, declared, "hubspot", WEEK, bodies, b"secret", "\n", tally)
    )
    assert read > 0
    assert not [name for name in tally.new_fields if name.startswith("associat")]
