"""Pages and answers that go wrong."""

import copy
import time

import httpx
import pytest

from tests.sandbox.reading import (
    CUSTOMER,
    LINKEDIN,
    META,
    META_RANGE,
    READERS,
    STATISTICS,
    VENDORS,
    one_request,
    rows_of,
)

# --- pages gone wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", VENDORS)
def test_an_empty_middle_page_hides_nothing_behind_it(paged, ask_company, vendor):
    read = READERS[vendor]
    good = read(ask_company)
    assert len(good) >= 3
    paged.misbehave(vendor, "empty_middle_page")
    spoilt = read(ask_company)
    assert spoilt == [good[0], [], *good[1:]]


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_record_comes_on_two_pages(paged, ask_company, vendor):
    read = READERS[vendor]
    good = read(ask_company)
    paged.misbehave(vendor, "record_on_two_pages")
    spoilt = read(ask_company)
    assert spoilt == [good[0], [good[0][-1], *good[1]], *good[2:]]


def test_streams_can_repeat_a_record_and_hold_an_empty_batch(company, ask_company):
    (good,) = ask_company.google(CUSTOMER, STATISTICS).json()
    company.misbehave("google_ads", "record_on_two_pages")
    repeated = ask_company.google(CUSTOMER, STATISTICS).json()
    assert [row for batch in repeated for row in batch["results"]] == [*good["results"], good["results"][-1]]
    company.misbehave("google_ads", "empty_middle_page")
    hollow = ask_company.google(CUSTOMER, STATISTICS).json()
    assert [len(batch["results"]) == 0 for batch in hollow] == [False, True, False]
    assert [row for batch in hollow for row in batch["results"]] == good["results"]


@pytest.mark.parametrize("vendor", ["google_ads", "linkedin_ads", "salesforce"])
def test_a_token_expires_between_pages_and_a_new_one_goes_on(paged, ask_company, vendor):
    good = READERS[vendor](ask_company)
    paged.misbehave(vendor, "token_expiry_mid_pagination")
    if vendor == "linkedin_ads":
        first = ask_company.linkedin(f"adAccounts/{LINKEDIN}/adCampaigns", "q=search&pageSize=2").json()
        query = f"q=search&pageSize=2&pageToken={first['metadata']['nextPageToken']}"
        for _ in range(2):
            answer = ask_company.linkedin(f"adAccounts/{LINKEDIN}/adCampaigns", query)
            assert (answer.status_code, answer.json()["code"]) == (401, "EXPIRED_ACCESS_TOKEN")
        ask_company.tokens.clear()
        page = ask_company.linkedin(f"adAccounts/{LINKEDIN}/adCampaigns", query).json()
        assert [one["id"] for one in page["elements"]] == good[1]
        return
    if vendor == "google_ads":
        first = ask_company.google(CUSTOMER, STATISTICS, method="search").json()
        following = {"method": "search", "pageToken": first["nextPageToken"]}
        for _ in range(2):
            assert ask_company.google(CUSTOMER, STATISTICS, **following).status_code == 401
        ask_company.tokens.clear()
        assert ask_company.google(CUSTOMER, STATISTICS, **following).status_code == 200
        return
    first = ask_company.query("SELECT Id FROM Opportunity ORDER BY Id", "queryAll").json()
    stale = ask_company._bearer("salesforce", ask_company.salesforce_token)
    for _ in range(2):
        assert ask_company.http.get(first["nextRecordsUrl"], headers=stale).status_code == 401
    ask_company.tokens.clear()
    fresh = ask_company._bearer("salesforce", ask_company.salesforce_token)
    second = ask_company.http.get(first["nextRecordsUrl"], headers=fresh)
    assert [one["Id"] for one in second.json()["records"]] == good[1]


@pytest.mark.parametrize(
    ("vendor", "mark"), [("meta_ads", "Session has expired"), ("hubspot", "EXPIRED_AUTHENTICATION")]
)
def test_a_static_token_dies_between_pages(paged, ask_company, vendor, mark):
    paged.misbehave(vendor, "token_expiry_mid_pagination")
    if vendor == "meta_ads":
        page = ask_company.meta(
            f"{META}/insights", level="campaign", time_increment=1, time_range=META_RANGE, fields="spend", limit=10
        ).json()
        answer = ask_company.http.get(page["paging"]["next"])
    else:
        ask_company.hubspot_search("contacts", limit=100)
        answer = ask_company.hubspot_search("contacts", limit=100, after="100")
    assert answer.status_code in (400, 401)
    assert mark in answer.text


# --- answers gone wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", [*VENDORS, "microsoft_ads"])
def test_a_truncated_body_is_not_valid_json(company, ask_company, vendor):
    whole = one_request(ask_company, vendor).content
    company.misbehave(vendor, "truncated_body")
    cut = one_request(ask_company, vendor)
    assert cut.status_code == 200
    assert 0 < len(cut.content) < len(whole)
    with pytest.raises(ValueError, match=r"."):
        cut.json()


def test_a_truncated_body_can_end_the_connection(company, ask_company):
    company.misbehave("hubspot", "truncated_body", mode="connection")
    with pytest.raises(httpx.RemoteProtocolError):
        one_request(ask_company, "hubspot")
    assert one_request(ask_company, "hubspot").status_code == 200


@pytest.mark.parametrize("vendor", [*VENDORS, "microsoft_ads"])
def test_html_comes_instead_of_json(company, ask_company, vendor):
    company.misbehave(vendor, "html_instead_of_json")
    answer = one_request(ask_company, vendor)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("vendor", [*VENDORS, "microsoft_ads"])
def test_an_error_hides_in_status_200(company, ask_company, vendor):
    company.misbehave(vendor, "error_in_200")
    answer = one_request(ask_company, vendor)
    body = answer.json()
    assert answer.status_code == 200
    hidden = {
        "salesforce": lambda: body[0]["errorCode"],
        "linkedin_ads": lambda: body["status"] == 500,
        "microsoft_ads": lambda: body["Errors"],
    }
    assert hidden.get(vendor, lambda: body.get("error") or body.get("errors") or body.get("status") == "error")()


@pytest.mark.parametrize(
    ("vendor", "path"),
    [
        ("google_ads", ("campaign", "brandNewField")),
        ("meta_ads", ("brand_new_metric",)),
        ("linkedin_ads", ("brandNewMetric",)),
        ("hubspot", ("properties", "brand_new_property")),
        ("salesforce", ("Brand_New__c",)),
        ("ga4", ("brandNewValues",)),
        ("shopify", ("brandNewField",)),
    ],
)
def test_a_new_field_appears(company, ask_company, vendor, path):
    good = rows_of(vendor, one_request(ask_company, vendor))
    company.misbehave(vendor, "new_field", value=42)
    spoilt = rows_of(vendor, one_request(ask_company, vendor))
    for row in spoilt:
        place = row
        for part in path[:-1]:
            place = place[part]
        assert place.pop(path[-1]) == 42
    assert spoilt == good


@pytest.mark.parametrize(
    ("vendor", "field"),
    [
        ("google_ads", "metrics.clicks"),
        ("meta_ads", "clicks"),
        ("linkedin_ads", "clicks"),
        ("hubspot", "properties.lifecyclestage"),
        ("salesforce", "OwnerId"),
        ("ga4", "metricValues"),
        ("shopify", "sourceName"),
    ],
)
def test_a_field_goes_missing_or_changes_its_type(company, ask_company, vendor, field):
    good = rows_of(vendor, one_request(ask_company, vendor))
    *parents, leaf = field.split(".")

    def holder(row):
        return row[parents[0]] if parents else row

    company.misbehave(vendor, "missing_field", rows=2)
    missing = rows_of(vendor, one_request(ask_company, vendor))
    assert [leaf in holder(row) for row in missing[:3]] == [False, False, True]
    company.misbehave(vendor, "retyped_field", field=field, value={"shoe": 42}, rows=1)
    retyped = rows_of(vendor, one_request(ask_company, vendor))
    assert holder(retyped[0])[leaf] == {"shoe": 42}
    expected = copy.deepcopy(good)
    holder(expected[0])[leaf] = {"shoe": 42}
    assert retyped == expected


@pytest.mark.parametrize("vendor", VENDORS)
def test_rows_vanish(company, ask_company, vendor):
    good = rows_of(vendor, one_request(ask_company, vendor))
    company.misbehave(vendor, "vanished_rows", count=3)
    assert rows_of(vendor, one_request(ask_company, vendor)) == good[3:]
    fields = {
        "google_ads": "segments.date",
        "meta_ads": "date_start",
        "linkedin_ads": "pivotValues",
        "salesforce": "Id",
        "ga4": "dimensionValues",
    }
    field = fields.get(vendor, "id")
    value = good[0]
    for part in field.split("."):
        value = value[part]
    company.misbehave(vendor, "vanished_rows", match={field: value})
    left = rows_of(vendor, one_request(ask_company, vendor))
    assert good[0] not in left
    assert 0 < len(left) < len(good)


def test_a_slow_answer_is_slow_and_right(company, ask_company):
    good = one_request(ask_company, "hubspot").json()
    company.misbehave("hubspot", "slow", seconds=0.4)
    started = time.perf_counter()
    assert one_request(ask_company, "hubspot").json() == good
    assert time.perf_counter() - started >= 0.4
