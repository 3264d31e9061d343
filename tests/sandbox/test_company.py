"""The company over HTTP: the same bytes from the same seed, another state at another moment, ready-made connections."""

import copy
import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from funnel.sources import SOURCES
from sandbox import planning, process, truth
from sandbox.clock import moment
from sandbox.process import ROOT
from sandbox.server import VENDORS
from sandbox.worlds import build
from tests.sandbox.conftest import ANCHOR, Vendors
from tests.sandbox.test_faults import MICROSOFT_REPORT, csv_of

EVERYTHING = """
import hashlib, sys
import orjson
from datetime import date
from sandbox.hubspot.rendering import render
from sandbox.hubspot.schema import PROPERTIES
from sandbox.salesforce.rows import row_of
from sandbox.clock import moment
from sandbox.worlds import build

scenario = build("company", int(sys.argv[1]), date(2026, 11, 23))
now = moment(sys.argv[2])
scenario.grow(now)
digest = hashlib.sha256()
for kind in ("contacts", "companies", "deals"):
    properties = list(PROPERTIES[kind])
    for state in scenario.hubspot[kind].snapshot(now):
        digest.update(orjson.dumps(render(kind, state, properties, properties)))
for name, table in scenario.salesforce.items():
    for state in table.snapshot(now):
        digest.update(repr(sorted(row_of(name, state).items(), key=lambda pair: pair[0])).encode())
for event in scenario.events:
    if event.at <= now:
        digest.update(repr((event.id, event.at, event.event_type, event.contact_at(now), event.properties)).encode())
for account in scenario.ad_accounts:
    for campaign in account.campaigns:
        for number in range(1, 60):
            day = date.fromordinal(date(2026, 9, 1).toordinal() + number)
            digest.update(repr(account.report(campaign, day, now)).encode())
print(digest.hexdigest())
"""


def fingerprint(seed, now="2026-11-23T00:00:00Z", hash_seed="0"):
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", EVERYTHING, str(seed), now]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def test_one_seed_gives_the_same_bytes_in_every_process():
    assert fingerprint(7, hash_seed="1") == fingerprint(7, hash_seed="2")


def test_another_seed_or_moment_gives_other_bytes():
    assert len({fingerprint(7), fingerprint(8), fingerprint(7, "2026-11-22T00:00:00Z")}) == 3


def test_a_day_looks_the_same_whether_later_days_were_lived_or_not(company, ask_company):
    def digest():
        found = ask_company.hubspot_search("contacts", properties=["email", "lifecyclestage"], limit=200).content
        rows = json.dumps(ask_company.query_all("SELECT Id, Status, SystemModstamp FROM Lead ORDER BY Id"))
        return hashlib.sha256(found + rows.encode()).hexdigest()

    before = digest()
    company.set_now("2027-03-01T00:00:00Z")
    ask_company.hubspot_search("contacts")
    company.set_now(f"{ANCHOR}T00:00:00Z")
    assert digest() == before


# --- time travel ------------------------------------------------------------------------------------------------------


def test_a_record_shows_the_state_of_its_moment(company, ask_company):
    soql = "SELECT Id, Status, SystemModstamp FROM Lead WHERE IsConverted = true ORDER BY Id LIMIT 1"
    (lead,) = ask_company.query(soql).json()["records"]
    one = f"SELECT Id, Status, SystemModstamp, IsConverted, ConvertedContactId FROM Lead WHERE Id = '{lead['Id']}'"
    history = ask_company.query_all(
        f"SELECT Field, NewValue, CreatedDate FROM LeadHistory WHERE LeadId = '{lead['Id']}' ORDER BY CreatedDate"
    )
    changes = [row for row in history if row["Field"] == "Status"]
    assert changes[-1]["NewValue"] == "Closed - Converted"
    statuses = []
    for row in changes:
        company.set_now(row["CreatedDate"])
        (shown,) = ask_company.query(one).json()["records"]
        statuses.append(shown["Status"])
        assert shown["SystemModstamp"] == row["CreatedDate"]
        assert (
            shown["IsConverted"]
            == (shown["ConvertedContactId"] is not None)
            == (shown["Status"] == "Closed - Converted")
        )
    assert statuses == [row["NewValue"] for row in changes]


def test_nothing_of_the_future_is_served(company, ask_company):
    company.set_now("2026-10-01T00:00:00Z")
    newest = ask_company.hubspot_search("contacts", sorts=["-createdate"], limit=1).json()["results"][0]
    assert newest["createdAt"] < "2026-10-01"
    assert ask_company.query("SELECT Id FROM Lead WHERE CreatedDate >= 2026-10-01T00:00:00Z").json()["records"] == []
    events = ask_company.hubspot("GET", "/events/event-occurrences/2026-09", params={"limit": 1}).json()["results"]
    assert events[0]["occurredAt"] < "2026-10-01"


def test_life_goes_on_after_the_anchor(company, ask_company):
    before = ask_company.hubspot_search("contacts").json()["total"]
    company.set_now("2026-12-23T00:00:00Z")
    assert ask_company.hubspot_search("contacts").json()["total"] > before + 500


def day_figures(ask, customer, day):
    (batch,) = ask.google(
        customer,
        "SELECT campaign.id, metrics.cost_micros, metrics.conversions, metrics.clicks, segments.date FROM campaign "
        f"WHERE segments.date = '{day}'",
    ).json()
    metrics = [row["metrics"] for row in batch.get("results", [])]
    return sum(int(one["costMicros"]) for one in metrics), sum(one["conversions"] for one in metrics)


def test_spend_settles_within_days_and_conversions_arrive_for_weeks(company, ask_company):
    spend, conversions = {}, {}
    for now in ("2026-10-02", "2026-10-03", "2026-10-05", "2026-10-10", "2026-10-20", "2026-11-15"):
        company.set_now(f"{now}T00:00:00Z")
        spend[now], conversions[now] = day_figures(ask_company, "4155550101", "2026-10-01")
    amounts, claimed = list(spend.values()), list(conversions.values())
    assert amounts[0] < amounts[1] < amounts[2] == amounts[3] == amounts[4] == amounts[5]
    assert claimed == sorted(claimed)
    assert claimed[0] < claimed[3] < claimed[5]


def test_days_begin_in_the_accounts_own_zone(company, ask_company):
    def days(now):
        company.set_now(now)
        rows = ask_company.meta(
            "act_331122334455661/insights",
            level="account",
            time_increment=1,
            time_range='{"since":"2026-11-20","until":"2026-11-30"}',
            fields="spend",
        ).json()["data"]
        return [row["date_start"] for row in rows]

    assert days("2026-11-23T04:00:00Z")[-1] == "2026-11-22"  # still Sunday evening in New York
    assert days("2026-11-23T06:00:00Z")[-1] == "2026-11-23"


def test_taken_back_rows_were_shown_before(company):
    scenario = build("company", 7, date.fromisoformat(ANCHOR))
    meta = scenario.accounts("meta_ads")[0]
    ghost = next(one for one in meta.campaigns if one.name_at(moment(ANCHOR)) == "Creative Test US")
    days = [date.fromordinal(date(2026, 10, 1).toordinal() + number) for number in range(40)]
    vanished = [
        day
        for day in days
        if meta.report(ghost, day, moment(day.isoformat()) + 2 * 86_400_000)
        and not meta.report(ghost, day, moment(day.isoformat()) + 4 * 86_400_000)
    ]
    assert vanished


# --- truth and what is served -----------------------------------------------------------------------------------------


def test_spend_served_is_the_spend_of_the_truth_to_the_cent(company, ask_company):
    served = {}
    for customer in ("4155550101", "4155550102"):
        (batch,) = ask_company.google(
            customer,
            "SELECT customer.id, campaign.id, segments.date, metrics.cost_micros FROM campaign "
            "WHERE segments.date BETWEEN '2026-08-25' AND '2026-11-22'",
        ).json()
        for row in batch["results"]:
            key = (row["segments"]["date"], "google_ads", row["customer"]["id"], row["campaign"]["id"])
            served[key] = Decimal(row["metrics"]["costMicros"]) / 1_000_000
    for account in ("331122334455661", "331122334455662"):
        rows = ask_company.meta(
            f"act_{account}/insights",
            level="campaign",
            time_increment=1,
            limit=5_000,
            fields="account_id,campaign_id,spend",
            time_range='{"since":"2026-08-25","until":"2026-11-22"}',
        ).json()["data"]
        served |= {(row["date_start"], "meta_ads", account, row["campaign_id"]): Decimal(row["spend"]) for row in rows}
    for account in ("512340001", "512340002"):
        elements = ask_company.linkedin(
            "adAnalytics",
            "q=analytics&pivot=CAMPAIGN&timeGranularity=DAILY&fields=dateRange,pivotValues,costInLocalCurrency"
            "&dateRange=(start:(year:2026,month:8,day:25),end:(year:2026,month:11,day:22))"
            f"&accounts=List(urn%3Ali%3AsponsoredAccount%3A{account})",
        ).json()["elements"]
        for row in elements:
            day = "{year}-{month:02d}-{day:02d}".format(**row["dateRange"]["start"])
            campaign = row["pivotValues"][0].rpartition(":")[2]
            served[day, "linkedin_ads", account, campaign] = Decimal(row["costInLocalCurrency"])
    for account in ("180000001", "180000002"):
        report = copy.deepcopy(MICROSOFT_REPORT)
        report["Scope"]["AccountIds"] = [account]
        report["Time"]["CustomDateRangeStart"] = {"Day": 25, "Month": 8, "Year": 2026}
        report["Time"]["CustomDateRangeEnd"] = {"Day": 22, "Month": 11, "Year": 2026}
        for day, campaign, _, spend in csv_of(ask_company.microsoft_file(report))[0][1:]:
            served[day, "microsoft_ads", account, campaign] = Decimal(spend)
    scenario = build("company", 7, date.fromisoformat(ANCHOR))
    now = datetime.fromisoformat(ANCHOR).replace(tzinfo=UTC)
    true = truth.spend(scenario, now, date(2026, 8, 25), date(2026, 11, 22))
    assert served == {
        (row.day.isoformat(), row.platform, row.ad_account_id, row.campaign_id): row.amount for row in true
    }


def test_a_window_of_ninety_days_holds_every_record(ask_company):
    since = "2026-08-25T00:00:00Z"
    for sobject in (
        "Lead",
        "Contact",
        "Account",
        "Opportunity",
        "OpportunityContactRole",
        "OpportunityHistory",
        "User",
    ):
        whole = ask_company.query(f"SELECT COUNT() FROM {sobject}", "queryAll").json()["totalSize"]
        part = ask_company.query(f"SELECT COUNT() FROM {sobject} WHERE SystemModstamp >= {since}", "queryAll").json()
        assert part["totalSize"] == whole > 0


# --- starting it ------------------------------------------------------------------------------------------------------


def test_connections_are_printed_as_airflow_reads_them():
    command = [
        sys.executable,
        "-m",
        "sandbox",
        "connections",
        "--base-url",
        "http://sandbox:1/",
        "--scenario",
        "worked_example",
    ]
    printed = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    assert set(printed) == {vendor.VENDOR for vendor in VENDORS} <= set(SOURCES)
    assert {one["conn_type"] for one in printed.values()} == {"http"}
    assert {one["host"] for one in printed.values()} == {"http://sandbox:1"}
    assert printed["google_ads"]["extra"]["customer_ids"] == ["1000000001"]
    assert printed["google_ads"]["extra"]["token_url"] == "http://sandbox:1/token"


def test_a_taken_port_is_named_as_the_reason(company):
    port = int(company.base_url.rpartition(":")[2])
    with pytest.raises(RuntimeError, match="A port in use is the usual reason"):
        process.start(scenario="worked_example", port=port)


def test_the_same_paths_answer_over_tls(worked, ask):
    import ssl

    import httpx

    trusted = ssl.create_default_context(cafile=str(worked.ca_file))
    with httpx.Client(verify=trusted, base_url=worked.tls_url) as client:
        token = client.post("/services/oauth2/token", data={"grant_type": "nonsense"})
        assert token.json()["error"] == "unsupported_grant_type"
        headers = {"Authorization": f"Bearer {ask.salesforce_token()}"}
        page = client.get("/services/data/v68.0/query/", params={"q": "SELECT Id FROM Lead"}, headers=headers)
        assert page.json()["totalSize"] == 2


def test_a_page_size_read_in_parallel_is_whole(company, transport):
    """Two readers at once do not disturb each other's pages."""
    from concurrent.futures import ThreadPoolExecutor

    company.set(salesforce_page_size=200)
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: len(Vendors(company, transport).query_all("SELECT Id FROM Lead")), range(2)))
    assert results[0] == results[1] > 1_000


@pytest.mark.parametrize(
    ("anchor", "quarters"),
    [("2026-03-31", ("2026-01-01", "2026-04-01")), ("2026-04-01", ("2026-01-01", "2026-04-01")),
     ("2026-04-02", ("2026-04-01", "2026-07-01")), ("2027-01-01", ("2026-10-01", "2027-01-01"))],
)  # fmt: skip
def test_there_is_a_plan_for_the_quarter_of_the_newest_day(anchor, quarters):
    plans = {
        str(one.period_start) for one in planning.targets(date.fromisoformat(anchor)) if one.period_grain == "quarter"
    }
    assert sorted(plans) == sorted(quarters)
