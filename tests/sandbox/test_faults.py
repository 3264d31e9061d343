"""Each fault has the named effect, as often as requested, and on no other vendor."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import orjson
import pytest

from sandbox import credentials, process
from sandbox.faults.catalogue import BULK_ERRORS, BULK_STEPS, ERRORS, TOKEN_ERRORS
from tests.sandbox.reading import (
    CUSTOMER,
    LINKEDIN_STATISTICS,
    META,
    MICROSOFT_REPORT,
    STATISTICS,
    one_request,
)

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
