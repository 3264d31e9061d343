"""Each fault has the named effect, as often as requested, and on no other vendor."""

import copy
import json
import time
from datetime import UTC, datetime, timedelta

import httpx
import orjson
import pytest

from sandbox import credentials, process
from sandbox.faults.catalogue import BULK_ERRORS, BULK_STEPS, ERRORS, TOKEN_ERRORS

CUSTOMER = "4155550101"
META = "act_331122334455661"
STATISTICS = (
    "SELECT campaign.id, segments.date, metrics.clicks, metrics.cost_micros FROM campaign "
    "WHERE segments.date BETWEEN '2026-11-01' AND '2026-11-07'"
)
LINKEDIN = "512340001"
LINKEDIN_STATISTICS = (
    "q=analytics&pivot=CAMPAIGN&timeGranularity=DAILY"
    "&dateRange=(start:(year:2026,month:11,day:1),end:(year:2026,month:11,day:7))"
    f"&accounts=List(urn%3Ali%3AsponsoredAccount%3A{LINKEDIN})&fields=dateRange,pivotValues,clicks,costInLocalCurrency"
)
MICROSOFT_REPORT = {
    "Type": "CampaignPerformanceReportRequest",
    "Format": "Csv",
    "FormatVersion": "2.0",
    "Aggregation": "Daily",
    "Columns": ["TimePeriod", "CampaignId", "Clicks", "Spend"],
    "Scope": {"AccountIds": ["180000001"]},
    "Time": {
        "CustomDateRangeStart": {"Day": 1, "Month": 11, "Year": 2026},
        "CustomDateRangeEnd": {"Day": 7, "Month": 11, "Year": 2026},
    },
}
META_RANGE = '{"since":"2026-11-01","until":"2026-11-07"}'


# --- one way of reading each vendor, page by page ---------------------------------------------------------------------


def read_google(ask):
    """(pages, keys) of a paged search."""
    token, pages = "", []
    while True:
        body = {"pageToken": token} if token else {}
        answer = ask.google(CUSTOMER, STATISTICS, method="search", **body)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        pages.append([(row["campaign"]["id"], row["segments"]["date"]) for row in page["results"]])
        token = page.get("nextPageToken")
        if not token:
            return pages


def read_meta(ask):
    body = ask.meta(
        f"{META}/insights", level="campaign", time_increment=1, time_range=META_RANGE, fields="campaign_id", limit=10
    ).json()
    pages = []
    while True:
        pages.append([(row["campaign_id"], row["date_start"]) for row in body["data"]])
        following = body.get("paging", {}).get("next")
        if not following:
            return pages
        body = ask.http.get(following).json()


def read_hubspot(ask):
    after, pages = "0", []
    while after is not None:
        page = ask.hubspot_search("deals", limit=60, after=after, sorts=["hs_object_id"]).json()
        pages.append([one["id"] for one in page["results"]])
        after = page.get("paging", {}).get("next", {}).get("after")
    return pages


def read_salesforce(ask):
    page = ask.query("SELECT Id FROM Opportunity ORDER BY Id", "queryAll").json()
    pages = []
    while True:
        pages.append([one["Id"] for one in page["records"]])
        if page["done"]:
            return pages
        headers = ask._bearer("salesforce", ask.salesforce_token)
        page = ask.http.get(page["nextRecordsUrl"], headers=headers).json()


REPORT = {
    "dateRanges": [{"startDate": "2026-11-01", "endDate": "2026-11-02"}],
    "dimensions": [{"name": "date"}, {"name": "sessionSource"}, {"name": "sessionCampaignName"}],
    "metrics": [{"name": "sessions"}],
    "orderBys": [{"dimension": {"dimensionName": name}} for name in ("date", "sessionSource", "sessionCampaignName")],
}


def read_ga4(ask):
    pages, offset = [], 0
    while True:
        page = ask.ga4(**REPORT, limit="20", offset=str(offset)).json()
        pages.append([tuple(one["value"] for one in row["dimensionValues"]) for row in page.get("rows", ())])
        # An empty page must be requested again: the next offset would skip its records.
        offset += 20 if pages[-1] else 0
        if offset >= page["rowCount"]:
            return pages


ORDERS = """query($first: Int!, $after: String) {
orders(first: $first, after: $after, sortKey: UPDATED_AT, query: "updated_at:>='2026-11-15T00:00:00Z'") {
nodes { id sourceName createdAt } pageInfo { hasNextPage endCursor } } }"""


def read_shopify(ask):
    pages, after = [], None
    while True:
        orders = ask.shopify(ORDERS, first=20, after=after).json()["data"]["orders"]
        pages.append([one["id"] for one in orders["nodes"]])
        after = orders["pageInfo"]["endCursor"]
        if not orders["pageInfo"]["hasNextPage"]:
            return pages


def read_linkedin(ask):
    """Campaigns: statistics have no pages."""
    token, pages = "", []
    while True:
        query = "q=search&pageSize=2" + (f"&pageToken={token}" if token else "")
        page = ask.linkedin(f"adAccounts/{LINKEDIN}/adCampaigns", query).json()
        pages.append([one["id"] for one in page["elements"]])
        token = page["metadata"].get("nextPageToken")
        if not token:
            return pages


READERS = {
    "google_ads": read_google,
    "meta_ads": read_meta,
    "linkedin_ads": read_linkedin,
    "hubspot": read_hubspot,
    "salesforce": read_salesforce,
    "ga4": read_ga4,
    "shopify": read_shopify,
}
VENDORS = list(READERS)


@pytest.fixture
def paged(company):
    company.set(google_page_size=20, salesforce_page_size=150)
    return company


def one_request(ask, vendor):
    """The first data request of a vendor."""
    if vendor == "google_ads":
        return ask.google(CUSTOMER, STATISTICS, method="search")
    if vendor == "meta_ads":
        return ask.meta(f"{META}/insights", level="campaign", time_increment=1, time_range=META_RANGE, fields="clicks")
    if vendor == "linkedin_ads":
        return ask.linkedin("adAnalytics", LINKEDIN_STATISTICS)
    if vendor == "microsoft_ads":
        return ask.microsoft("Submit", {"ReportRequest": MICROSOFT_REPORT})
    if vendor == "hubspot":
        return ask.hubspot_search("contacts", properties=["lifecyclestage"], sorts=["hs_object_id"])
    if vendor == "ga4":
        return ask.ga4(**REPORT)
    if vendor == "shopify":
        return ask.shopify(ORDERS, first=20)
    if vendor == "exchange_rates":
        period = {"startPeriod": "2026-11-02", "format": "csvdata"}
        return ask.http.get("/service/data/EXR/D.USD.EUR.SP00.A", params=period)
    return ask.query("SELECT Id, OwnerId, CreatedDate FROM Lead")


def rows_of(vendor, answer):
    if vendor == "shopify":
        return answer.json()["data"]["orders"]["nodes"]
    lists = {"meta_ads": "data", "linkedin_ads": "elements", "salesforce": "records", "ga4": "rows"}
    return answer.json()[lists.get(vendor, "results")]


# --- errors -----------------------------------------------------------------------------------------------------------


RECORDED_AS = {
    "meta_ads": "meta",
    "google_ads": "google_ads",
    "linkedin_ads": "linkedin",
    "hubspot": "hubspot",
    "salesforce": "salesforce",
    "ga4": "ga4",
}


def recorded_errors():
    """Names of the recorded bodies that are errors of these vendors."""
    return [
        (vendor, name)
        for vendor, names in {
            "meta_ads": [
                "too_many_calls_ad_account",
                "unknown_500",
                "service_temporarily_unavailable",
                "reduce_amount_of_data",
                "session_expired",
                "password_changed",
                "app_not_authorized",
                "missing_permissions",
                "requires_permission",
                "unsupported_get",
            ],
            "linkedin_ads": ["daily_call_limit", "data_volume_throttle", "uri_too_long"],
            "google_ads": ["developer_token_quota", "searchStream_error_envelope"],
            "hubspot": ["secondly_limit_2018", "ten_secondly_rolling", "search_api_limit"],
            "salesforce": [
                "bulk_not_supported",
                "bulk_compound",
                "bulk_query_unsupported",
                "txn_security",
                "daily_request_limit",
                "aggregate_querymore",
                "invalid_locator",
            ],
            "ga4": ["quota_running_out", "exhausted_tokens"],
        }.items()
        for name in names
    ]


def test_every_recorded_error_of_these_vendors_is_offered(reference):
    recorded = json.loads((reference / "vendor_error_bodies.json").read_text())
    names = {
        (vendor, one["name"])
        for vendor, short in RECORDED_AS.items()
        for one in recorded[short]
        # These are not errors: an endpoint, tested below, and a cut that no body shows, tested with the connector.
        if one["name"] not in ("listAccessibleCustomers_ok", "element_cap")
    }
    assert names == set(recorded_errors())


def provoke(company, ask, vendor, name):
    company.misbehave(vendor, name)
    if name.startswith("bulk"):
        headers = ask._bearer("salesforce", ask.salesforce_token)
        return ask.http.post("/services/data/v57.0/jobs/query", json={"operation": "query"}, headers=headers)
    if name == "invalid_locator":
        company.set(salesforce_page_size=150)
        first = ask.query("SELECT Id FROM Lead").json()
        return ask.http.get(first["nextRecordsUrl"], headers=ask._bearer("salesforce", ask.salesforce_token))
    if name == "searchStream_error_envelope":
        return ask.google(CUSTOMER, STATISTICS)
    return one_request(ask, vendor)


def without_ids(body):
    """Error bodies differ in trace ids and in the version that the request named."""
    text = orjson.dumps(body).decode()
    for version in ("v21", "v26"):
        text = text.replace(f"googleads.{version}.", "googleads.")
    body = orjson.loads(text)
    for part in (body, body.get("error", {}) if isinstance(body, dict) else {}):
        if isinstance(part, dict):
            for name in ("fbtrace_id", "correlationId", "requestId"):
                part.pop(name, None)
            for detail in part.get("details", []):
                detail.pop("requestId", None)
    return body


@pytest.mark.parametrize(("vendor", "name"), recorded_errors())
def test_recorded_errors_are_sent_as_recorded(reference, company, ask_company, vendor, name):
    recorded = json.loads((reference / "vendor_error_bodies.json").read_text())
    expected = next(one for one in recorded[RECORDED_AS[vendor]] if one["name"] == name)
    answer = provoke(company, ask_company, vendor, name)
    status = expected["http_status"] if expected["http_status"] != "any" else 429
    assert answer.status_code == status
    if vendor == "linkedin_ads":
        # Recorded as a note, not as a body.
        marks = {
            "daily_call_limit": "APPLICATION_AND_MEMBER DAY limit",
            "data_volume_throttle": "45 million metric values",
        }
        assert marks.get(name, "") in answer.text
    elif "propertyQuota" in expected.get("body", {}):
        assert answer.json()["propertyQuota"] == expected["body"]["propertyQuota"]
    elif "body_contains" in expected:
        assert expected["body_contains"] in answer.json()["error"]["message"]
    elif "body" in expected:
        assert without_ids(answer.json()) == without_ids(expected["body"])
    else:
        assert answer.json()["errorType"] == "RATE_LIMIT"
    for header, value in expected.get("headers", {}).items():
        assert set(orjson.loads(answer.headers[header])) == set(orjson.loads(value))


AIMED = {
    "too_much_data",
    "invalid_locator",
    *TOKEN_ERRORS,
    *BULK_ERRORS,
    *BULK_STEPS,
}  # they strike other requests than the first


@pytest.mark.parametrize(
    ("vendor", "name"), [(vendor, name) for vendor in ERRORS for name in ERRORS[vendor] if name not in AIMED]
)
def test_every_error_strikes_once_and_is_over(company, ask_company, vendor, name):
    one_request(ask_company, vendor)
    company.misbehave(vendor, name)
    struck = one_request(ask_company, vendor)
    assert struck.status_code >= 400 or "errors" in struck.json()
    assert one_request(ask_company, vendor).status_code == 200
    assert [one["fault"] for one in company.requests()[-2:]] == [name, None]


def test_customers_are_listed(ask_company):
    headers = ask_company._bearer("google_ads", ask_company.google_token)
    listed = ask_company.http.get("/v26/customers:listAccessibleCustomers", headers=headers).json()
    assert listed == {"resourceNames": ["customers/4155550101", "customers/4155550102"]}


def test_a_closed_account_is_listed_and_refused_from_its_moment_on(company, ask_company):
    query = "SELECT campaign.id FROM campaign"
    company.set_now("2026-12-10T08:59:59Z")
    assert ask_company.google("4155550102", query).status_code == 200
    company.set_now("2026-12-10T09:00:00Z")
    refused = ask_company.google("4155550102", query)
    assert refused.status_code == 403
    assert refused.json()[0]["error"]["details"][0]["errors"][0]["errorCode"] == {
        "authorizationError": "CUSTOMER_NOT_ENABLED"
    }
    assert ask_company.google("4155550101", query).status_code == 200
    headers = ask_company._bearer("google_ads", ask_company.google_token)
    listed = ask_company.http.get("/v26/customers:listAccessibleCustomers", headers=headers).json()
    assert listed == {"resourceNames": ["customers/4155550101", "customers/4155550102"]}


def test_a_revoked_refresh_token_strikes_the_token_endpoint(company, ask_company):
    paths = {
        "microsoft_ads": "/common/oauth2/v2.0/token",
        "google_ads": "/token",
        "linkedin_ads": "/oauth/v2/accessToken",
        "salesforce": "/services/oauth2/token",
    }
    for vendor, path in paths.items():
        company.misbehave(vendor, "refresh_token_revoked")
        answer = ask_company.http.post(path, data={"grant_type": "refresh_token"})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_throttles_say_when_access_is_regained(company, ask_company):
    company.misbehave("meta_ads", "user_limit", regain_minutes=7)
    usage = orjson.loads(one_request(ask_company, "meta_ads").headers["x-business-use-case-usage"])
    assert next(iter(usage.values()))[0]["estimated_time_to_regain_access"] == 7
    company.misbehave("google_ads", "temporary_quota", retry_seconds=3)
    error = one_request(ask_company, "google_ads").json()["error"]["details"][0]["errors"][0]
    assert error["details"]["quotaErrorDetails"]["retryDelay"] == "3s"


def csv_of(answer):
    import csv
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        (name,) = archive.namelist()
        text = archive.read(name).decode("utf-8-sig")
    return [row for row in csv.reader(io.StringIO(text, newline="")) if len(row) > 1], text


def test_a_report_becomes_a_file_with_lines_around_its_rows(company, ask_company):
    answer = ask_company.microsoft_file(MICROSOFT_REPORT)
    assert answer.headers["content-type"] == "application/zip"
    rows, text = csv_of(answer)
    assert rows[0] == MICROSOFT_REPORT["Columns"]
    assert f'"Rows: {len(rows) - 1}"' in text
    assert '"Time Zone: (GMT-08:00) Pacific Time (US and Canada); Tijuana"' in text
    assert text.splitlines()[-1] == '"\u00a92026 Microsoft Corporation. All rights reserved. "'


def test_the_file_of_a_report_goes_wrong_and_the_next_one_does_not(company, ask_company):
    good, _ = csv_of(ask_company.microsoft_file(MICROSOFT_REPORT))
    clicks = good[0].index("Clicks")
    for name, check in (
        ("vanished_rows", lambda bad: bad == good[:1] + good[2:]),
        ("new_field", lambda bad: bad[0] == [*good[0], "BrandNewMetric"] and bad[1][-1] == "surprise"),
        ("missing_field", lambda bad: "Clicks" not in bad[0] and len(bad) == len(good)),
        ("retyped_field", lambda bad: {row[clicks] for row in bad[1:]} == {"not a number"}),
    ):
        company.misbehave("microsoft_ads", name)
        assert check(csv_of(ask_company.microsoft_file(MICROSOFT_REPORT))[0]), name
        assert csv_of(ask_company.microsoft_file(MICROSOFT_REPORT))[0] == good


def test_a_report_fails_has_no_data_or_an_address_that_died(company, ask_company):
    company.misbehave("microsoft_ads", "dead_address")
    assert ask_company.microsoft_file(MICROSOFT_REPORT).status_code == 403
    company.misbehave("microsoft_ads", "no_data")
    assert ask_company.microsoft_file(MICROSOFT_REPORT) is None
    company.misbehave("microsoft_ads", "report_failed")
    submitted = ask_company.microsoft("Submit", {"ReportRequest": MICROSOFT_REPORT}).json()
    assert ask_company.microsoft("Poll", submitted).json()["ReportRequestStatus"]["Status"] == "Error"


def test_a_cut_answer_looks_whole(company, ask_company):
    whole = ask_company.linkedin("adAnalytics", LINKEDIN_STATISTICS).json()
    company.misbehave("linkedin_ads", "element_cap", times=1, elements=5)
    cut = ask_company.linkedin("adAnalytics", LINKEDIN_STATISTICS)
    assert cut.status_code == 200
    assert cut.json() == {**whole, "elements": whole["elements"][:5]}
    company.set(linkedin_max_elements=7)
    assert ask_company.linkedin("adAnalytics", LINKEDIN_STATISTICS).json()["elements"] == whole["elements"][:7]


def test_too_much_data_depends_on_the_window(company, ask_company):
    company.misbehave("meta_ads", "too_much_data", times=None, max_days=3)

    def ask_days(last):
        span = f'{{"since":"2026-11-01","until":"2026-11-{last:02d}"}}'
        return ask_company.meta(f"{META}/insights", time_range=span, fields="spend")

    assert ask_days(4).json()["error"]["error_subcode"] == 1487534
    assert ask_days(3).status_code == 200
    assert ask_days(4).status_code == 400


# --- how faults are aimed ---------------------------------------------------------------------------------------------


def test_faults_wait_for_good_requests_and_apply_as_often_as_set(company, ask_company):
    company.misbehave("hubspot", "internal_error", after=2, times=2)
    statuses = [one_request(ask_company, "hubspot").status_code for _ in range(6)]
    assert statuses == [200, 200, 500, 500, 200, 200]


def test_faults_strike_one_stream_or_path_only(company, ask_company):
    company.misbehave("hubspot", "internal_error", times=None, stream="deals")
    company.misbehave("salesforce", "server_unavailable", times=None, path=r"FROM\+Contact")
    assert ask_company.hubspot_search("contacts").status_code == 200
    assert ask_company.hubspot_search("deals").status_code == 500
    assert ask_company.query("SELECT Id FROM Lead").status_code == 200
    assert ask_company.query("SELECT Id FROM Contact").status_code == 503


@pytest.mark.parametrize(
    "body", [{"vendor": "shoes", "fault": "slow"}, {"vendor": "hubspot", "fault": "shoes"}, {"fault": "slow"}]
)
def test_unknown_faults_are_refused(company, body):
    answer = httpx.post(
        f"{company.base_url}/_control/misbehave", json=body, headers={"X-Control-Token": company.control_token}
    )
    assert answer.status_code == 400


def test_reset_ends_all_misbehaviour(company, ask_company):
    company.misbehave("hubspot", "internal_error", times=None)
    assert one_request(ask_company, "hubspot").status_code == 500
    company.reset()
    assert one_request(ask_company, "hubspot").status_code == 200


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


# --- control ----------------------------------------------------------------------------------------------------------


def test_control_needs_its_token(company):
    for headers in ({}, {"X-Control-Token": "wrong"}):
        answer = httpx.post(f"{company.base_url}/_control/now", json={"now": None}, headers=headers)
        assert answer.status_code == 403


def test_the_request_log_shows_streams_and_no_secrets(company, ask_company):
    one_request(ask_company, "meta_ads")
    one_request(ask_company, "salesforce")
    logged = company.requests()
    assert {(one["vendor"], one["stream"]) for one in logged} >= {("meta_ads", "insights"), ("salesforce", "leads")}
    text = json.dumps(logged)
    for secret in (credentials.META_ACCESS_TOKEN, credentials.SALESFORCE_CLIENT_SECRET):
        assert secret not in text


def test_unknown_settings_are_refused(company):
    with pytest.raises(RuntimeError, match="There is no setting"):
        company.set(shoe_size=42)


def test_the_real_clock_goes_by_whole_days_unless_set_or_ticking(company):
    company.set_now(None)
    told = company.control("GET", "now")
    assert told["fixed"] is False
    assert told["now"] in {f"{datetime.now(UTC) - timedelta(hours=late):%Y-%m-%d}T00:00:00.000Z" for late in (0, 1)}
    with process.running(scenario="worked_example", clock="seconds") as ticking:
        shown = datetime.fromisoformat(ticking.control("GET", "now")["now"])
    assert abs(datetime.now(UTC) - shown) < timedelta(minutes=1)
    company.set_now("2026-11-01T00:00:00Z")
    assert company.control("GET", "now") == {"now": "2026-11-01T00:00:00.000Z", "fixed": True}
