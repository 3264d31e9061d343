"""The sandbox refuses what the vendors refuse, in their words and with their status."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox import credentials, process
from tests.sandbox.conftest import Vendors

CUSTOMER = "1000000001"
DAYS = "segments.date BETWEEN '2026-01-01' AND '2026-01-31'"


# --- Google Ads -------------------------------------------------------------------------------------------------------


def google_code(answer):
    body = answer.json()
    body = body[0] if isinstance(body, list) else body
    (code,) = body["error"]["details"][0]["errors"][0]["errorCode"].values()
    return answer.status_code, code


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT campaign.shoe_size FROM campaign", "UNRECOGNIZED_FIELD"),
        ("SELECT campaign.id FROM shoes", "BAD_RESOURCE_TYPE_IN_FROM_CLAUSE"),
        ("SELECT campaign.id FROM conversion_action", "PROHIBITED_RESOURCE_TYPE_IN_SELECT_CLAUSE"),
        ("SELECT campaign.id", "EXPECTED_FROM"),
        ("campaign.id FROM campaign", "EXPECTED_SELECT"),
        ("SELECT campaign.id, segments.date FROM campaign", "EXPECTED_FILTERS_ON_DATE_RANGE"),
        ("SELECT segments.date FROM campaign WHERE segments.date >= '2026-01-01'", "EXPECTED_FILTERS_ON_DATE_RANGE"),
        ("SELECT segments.date FROM campaign WHERE segments.date = '2026-02-30'", "INVALID_DATE_FORMAT"),
        ("SELECT segments.date FROM campaign WHERE segments.date = 'today'", "INVALID_DATE_FORMAT"),
        (
            "SELECT segments.date FROM campaign WHERE segments.date BETWEEN '2026-02-01' AND '2026-01-01'",
            "DATE_RANGE_TOO_NARROW",
        ),
        (
            "SELECT segments.date FROM campaign WHERE segments.date BETWEEN '2022-01-01' AND '2022-01-31'",
            "REQUESTED_DATE_GRANULARITY_NOT_SUPPORTED",
        ),
        (
            f"SELECT campaign.id FROM campaign WHERE {DAYS} ORDER BY campaign.name",
            "EXPECTED_REFERENCED_FIELD_IN_SELECT_CLAUSE",
        ),
        ("SELECT campaign.id FROM campaign LIMIT 0", "BAD_LIMIT_VALUE"),
        ("SELECT campaign.id FROM campaign WHERE campaign.id ~ 11", "BAD_OPERATOR"),
    ],
)
@pytest.mark.parametrize("method", ["search", "searchStream"])
def test_google_refuses_a_bad_query(ask, query, code, method):
    answer = ask.google(CUSTOMER, query, method=method)
    assert google_code(answer) == (400, code)
    assert isinstance(answer.json(), list) == (method == "searchStream")


def test_google_keeps_daily_data_for_37_months(worked, ask):
    worked.set_now("2026-11-23T00:00:00Z")
    first = "SELECT segments.date FROM campaign WHERE segments.date BETWEEN '{}' AND '2026-01-01'"
    assert ask.google(CUSTOMER, first.format("2023-10-01")).status_code == 200
    assert google_code(ask.google(CUSTOMER, first.format("2023-09-30")))[0] == 400


@pytest.mark.parametrize(("version", "status"), [("v22", 400), ("v23", 200), ("v26", 200), ("v27", 404)])
def test_google_versions_end(ask, version, status):
    assert ask.google(CUSTOMER, "SELECT campaign.id FROM campaign", version=version).status_code == status


def test_google_accepts_a_sunset_version_when_switched_to(worked, ask):
    worked.set(accept_sunset_versions=True)
    assert ask.google(CUSTOMER, "SELECT campaign.id FROM campaign", version="v22").status_code == 200


def test_google_refuses_unknown_tokens_customers_and_page_sizes(ask):
    query = "SELECT campaign.id FROM campaign"
    without = ask.http.post(f"/v26/customers/{CUSTOMER}/googleAds:search", json={"query": query})
    assert google_code(without) == (401, "OAUTH_TOKEN_INVALID")
    assert google_code(ask.google("1234567890", query)) == (403, "USER_PERMISSION_DENIED")
    assert google_code(ask.google("123", query)) == (400, "INVALID_CUSTOMER_ID")
    assert google_code(ask.google(CUSTOMER, query, method="search", pageSize=10)) == (400, "PAGE_SIZE_NOT_SUPPORTED")
    assert google_code(ask.google(CUSTOMER, query, method="search", pageToken="!")) == (400, "INVALID_PAGE_TOKEN")
    assert ask.google(CUSTOMER, query, method="search", shoeSize=42).status_code == 400


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"refresh_token": "old"}, 400, "invalid_grant"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_google_gives_tokens_for_the_right_refresh_token_only(ask, change, status, error):
    form = {
        "grant_type": "refresh_token",
        "client_id": credentials.GOOGLE_CLIENT_ID,
        "client_secret": credentials.GOOGLE_CLIENT_SECRET,
        "refresh_token": credentials.GOOGLE_REFRESH_TOKEN,
    }
    good = ask.http.post("/token", data=form).json()
    assert set(good) >= {"access_token", "expires_in", "token_type"}
    bad = ask.http.post("/token", data={**form, **change})
    assert (bad.status_code, bad.json()["error"]) == (status, error)


def test_google_tokens_expire(worked, ask):
    worked.set(token_seconds=0)
    assert google_code(ask.google(CUSTOMER, "SELECT campaign.id FROM campaign")) == (401, "OAUTH_TOKEN_EXPIRED")


def test_google_leaves_out_all_zero_rows_and_writes_counts_as_strings(ask):
    (batch,) = ask.google(
        CUSTOMER, f"SELECT campaign.id, segments.date, metrics.clicks FROM campaign WHERE {DAYS}"
    ).json()
    assert [(row["segments"]["date"], row["metrics"]["clicks"]) for row in batch["results"]] == [
        ("2026-01-05", "50"),
        ("2026-01-12", "20"),
    ]
    empty = ask.google(CUSTOMER, "SELECT segments.date FROM campaign WHERE segments.date = '2026-01-06'").json()
    assert "results" not in empty[0]


def test_google_filters_orders_and_limits(ask_company):
    query = (
        "SELECT campaign.id, campaign.name FROM campaign WHERE campaign.advertising_channel_type = 'SEARCH' "
        "AND campaign.id NOT IN (21000001111) ORDER BY campaign.name DESC LIMIT 3"
    )
    (batch,) = ask_company.google("4155550101", query).json()
    names = [row["campaign"]["name"] for row in batch["results"]]
    assert names == sorted(names, reverse=True)
    assert len(names) == 3
    assert "Brand DE" not in names


# --- Meta Ads ---------------------------------------------------------------------------------------------------------

RANGE = '{"since":"2026-01-01","until":"2026-01-31"}'


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"fields": "shoe_size"}, 100),
        ({"level": "planet"}, 100),
        ({"time_range": '{"since":"2026-02-01","until":"2026-01-01"}'}, 100),
        ({"time_range": '{"since":"yesterday","until":"2026-01-01"}'}, 100),
        ({"time_range": "whenever"}, 100),
        ({"time_range": '{"since":"2022-01-01","until":"2026-01-01"}'}, 3018),
        ({"action_attribution_windows": '["28d_view"]'}, 100),
        ({"time_increment": "7"}, 100),
        ({"limit": "0"}, 100),
        ({"after": "@@@"}, 100),
        ({"access_token": "wrong"}, 190),
        ({"access_token": ""}, 104),
        ({"appsecret_proof": "wrong"}, 100),
    ],
)
def test_meta_refuses_bad_parameters_with_status_400(ask, parameters, code):
    answer = ask.meta("act_2000000001/insights", **{"time_range": RANGE, "fields": "spend", **parameters})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


@pytest.mark.parametrize(("version", "code"), [("v26.0", None), ("v25.0", None), ("v24.0", 2635), ("v27.0", 2500)])
def test_meta_versions_end(ask, version, code):
    error = ask.meta("act_2000000001/campaigns", version=version).json().get("error", {})
    assert error.get("code") == code


def test_meta_takes_a_right_proof_and_can_require_one(worked, ask):
    key, token = credentials.META_APP_SECRET.encode(), credentials.META_ACCESS_TOKEN.encode()
    proof = hmac.new(key, token, hashlib.sha256).hexdigest()
    worked.set(meta_requires_proof=True)
    assert ask.meta("act_2000000001", fields="name").status_code == 400
    assert ask.meta("act_2000000001", fields="name", appsecret_proof=proof).json()["name"] == "Example Inc."


def test_meta_pages_end_where_next_is_missing(ask_company):
    url = "act_331122334455661/insights"
    parameters = {"level": "campaign", "time_increment": 1, "time_range": '{"since":"2026-11-01","until":"2026-11-07"}'}
    page = ask_company.meta(url, fields="campaign_id,spend", limit=10, **parameters)
    assert "estimated_time_to_regain_access" in page.headers["x-business-use-case-usage"]
    rows, body = [], page.json()
    while True:
        rows += body["data"]
        assert body["paging"]["cursors"]["after"]
        if "next" not in body["paging"]:
            break
        body = ask_company.http.get(body["paging"]["next"]).json()
    whole = ask_company.meta(url, fields="campaign_id,spend", limit=500, **parameters).json()["data"]
    assert rows == whole
    assert len(whole) > 30


def test_meta_knows_no_foreign_objects(ask):
    error = ask.meta("act_99/campaigns").json()["error"]
    assert (error["code"], error["error_subcode"]) == (100, 33)


def test_meta_reports_are_not_read_before_they_are_complete(ask):
    run = ask.meta("act_2000000001/insights", method="POST", time_range=RANGE, level="campaign").json()["report_run_id"]
    assert ask.meta(f"{run}/insights").json()["error"]["code"] == 2601
    assert ask.meta(run).json()["async_status"] == "Job Running"
    assert ask.meta(f"{run}/").json()["async_percent_completion"] == 100
    assert [row["spend"] for row in ask.meta(f"{run}/insights").json()["data"]] == ["80"]


def test_meta_windows_stand_beside_the_value_only_when_asked_for(ask_company):
    asked = {"level": "campaign", "time_range": '{"since":"2026-10-01","until":"2026-10-20"}', "fields": "actions"}
    plain = ask_company.meta("act_331122334455661/insights", **asked).json()["data"]
    split = ask_company.meta(
        "act_331122334455661/insights", **asked, action_attribution_windows='["7d_click","1d_view"]'
    ).json()["data"]
    assert set(plain[0]["actions"][0]) == {"action_type", "value"}
    assert set(split[0]["actions"][0]) == {"action_type", "value", "7d_click", "1d_view"}


# --- LinkedIn Ads -----------------------------------------------------------------------------------------------------

DATES = "dateRange=(start:(year:2026,month:11,day:1),end:(year:2026,month:11,day:2))"
ACCOUNTS = "accounts=List(urn%3Ali%3AsponsoredAccount%3A512340001)"
ANALYTICS = f"q=analytics&pivot=CAMPAIGN&timeGranularity=DAILY&{DATES}&{ACCOUNTS}"


@pytest.mark.parametrize(
    ("query", "word"),
    [
        (ANALYTICS.replace(ACCOUNTS, ""), "facet is required"),
        (ANALYTICS.replace(f"&{DATES}", ""), "'dateRange' is required"),
        (ANALYTICS.replace("day:1)", "day:31)"), "dateRange.start"),
        (ANALYTICS.replace("day:1)", "day:9)"), "must not be after"),
        (ANALYTICS.replace("CAMPAIGN", "SHOE_SIZE"), "pivot"),
        (ANALYTICS.replace("DAILY", "HOURLY"), "timeGranularity"),
        (ANALYTICS.replace("q=analytics", "q=shoes"), "No such finder"),
        (f"{ANALYTICS}&fields=shoeSize", "shoeSize"),
        (f"{ANALYTICS}&fields={','.join(['clicks'] * 21)}", "At most 20 fields"),
        (ANALYTICS.replace("List(", "List%28"), "brackets"),
        (ANALYTICS.replace("List(urn%3Ali%3A", "List(urn:li:"), "Unexpected ':'"),
        (ANALYTICS.replace("sponsoredAccount", "person"), "Invalid URN"),
    ],
)
def test_linkedin_refuses_a_bad_question(ask_company, query, word):
    answer = ask_company.linkedin("adAnalytics", query)
    assert (answer.status_code, answer.json()["code"]) == (400, "ILLEGAL_ARGUMENT")
    assert word in answer.json()["message"]


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"LinkedIn-Version": ""}, 400, "VERSION_MISSING"),
        ({"LinkedIn-Version": "v2"}, 400, "INVALID_VERSION"),
        ({"LinkedIn-Version": "202511"}, 426, "NONEXISTENT_VERSION"),
        ({"LinkedIn-Version": "202512"}, 200, None),
        ({"X-Restli-Protocol-Version": "1.0.0"}, 400, "ILLEGAL_ARGUMENT"),
        ({"Authorization": "Bearer nobody"}, 401, "INVALID_ACCESS_TOKEN"),
        ({"Authorization": ""}, 401, "EMPTY_ACCESS_TOKEN"),
    ],
)
def test_linkedin_needs_its_headers(ask_company, headers, status, code):
    answer = ask_company.linkedin("adAnalytics", ANALYTICS, headers=headers)
    assert (answer.status_code, answer.json().get("code")) == (status, code)


def test_linkedin_answers_statistics_of_strangers_with_nothing_but_their_campaigns_with_a_refusal(ask_company):
    elsewhere = ANALYTICS.replace("512340001", "599999999")
    assert ask_company.linkedin("adAnalytics", elsewhere).json()["elements"] == []
    refused = ask_company.linkedin("adAccounts/599999999/adCampaigns", "q=search")
    assert (refused.status_code, refused.json()["code"]) == (403, "ACCESS_DENIED")
    assert ask_company.linkedin("adAccounts/512340001/adCampaigns", "q=search&pageSize=1001").status_code == 400
    assert ask_company.linkedin("adAccounts/512340001/adCampaigns", "q=search&pageToken=!").status_code == 400


def test_linkedin_takes_a_long_question_in_a_form_only(ask_company):
    campaigns = ",".join(f"urn%3Ali%3AsponsoredCampaign%3A{number}" for number in range(200))
    query = ANALYTICS.replace(ACCOUNTS, f"campaigns=List({campaigns})")
    assert ask_company.linkedin("adAnalytics", query).status_code == 414
    headers = {
        "LinkedIn-Version": "202607",
        "X-Restli-Protocol-Version": "2.0.0",
        "Content-Type": "application/x-www-form-urlencoded",
        **ask_company._bearer("linkedin_ads", ask_company.linkedin_token),
    }
    assert ask_company.http.post("/rest/adAnalytics", content=query, headers=headers).status_code == 405
    headers["X-HTTP-Method-Override"] = "GET"
    assert ask_company.http.post("/rest/adAnalytics", content=query, headers=headers).json()["elements"] == []


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"refresh_token": "old"}, 400, "invalid_grant"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_linkedin_gives_tokens_for_the_right_refresh_token_only(ask, change, status, error):
    form = {
        "grant_type": "refresh_token",
        "client_id": credentials.LINKEDIN_CLIENT_ID,
        "client_secret": credentials.LINKEDIN_CLIENT_SECRET,
        "refresh_token": credentials.LINKEDIN_REFRESH_TOKEN,
    }
    good = ask.http.post("/oauth/v2/accessToken", data=form).json()
    assert set(good) >= {"access_token", "expires_in", "refresh_token", "refresh_token_expires_in"}
    bad = ask.http.post("/oauth/v2/accessToken", data={**form, **change})
    assert (bad.status_code, bad.json()["error"]) == (status, error)


def test_linkedin_names_accounts_and_campaigns_only_with_the_fields_asked_for(ask_company):
    page = ask_company.linkedin(
        "adAccounts/512340001/adCampaigns", "q=search&search=(status:(values:List(ACTIVE)))&fields=id,name"
    ).json()
    assert {"id", "name"} == set(page["elements"][0])
    assert "Conversation Ads US" not in {one["name"] for one in page["elements"]}
    assert ask_company.linkedin("adAccounts/512340001", "fields=currency").json() == {"currency": "USD"}
    accounts = ask_company.linkedin("adAccounts", "q=search").json()["elements"]
    assert [one["id"] for one in accounts] == [512340001, 512340002]


# --- Microsoft Ads ----------------------------------------------------------------------------------------------------

CAMPAIGN_REPORT = {
    "Type": "CampaignPerformanceReportRequest",
    "Format": "Csv",
    "FormatVersion": "2.0",
    "Aggregation": "Daily",
    "Columns": ["TimePeriod", "CampaignId", "Spend"],
    "Scope": {"AccountIds": ["180000001"]},
    "Time": {
        "CustomDateRangeStart": {"Day": 1, "Month": 11, "Year": 2026},
        "CustomDateRangeEnd": {"Day": 2, "Month": 11, "Year": 2026},
    },
}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Type": "ShoeReportRequest"}, 2001),
        ({"Format": "Xml"}, 2002),
        ({"Aggregation": "Hourly"}, 2003),
        ({"Columns": ["TimePeriod", "ShoeSize"]}, 2005),
        ({"Columns": ["TimePeriod", "CampaignId"]}, 2006),
        ({"Columns": ["CampaignId", "Spend"]}, 2007),
        ({"Scope": {"AccountIds": []}}, 2009),
        ({"Scope": {"AccountIds": ["180000009"]}}, 2010),
        ({"Time": {**CAMPAIGN_REPORT["Time"], "CustomDateRangeStart": {"Day": 31, "Month": 11, "Year": 2026}}}, 2011),
        ({"Time": {**CAMPAIGN_REPORT["Time"], "ReportTimeZone": "Berlin"}}, 2012),
        ({"Time": {**CAMPAIGN_REPORT["Time"], "CustomDateRangeStart": {"Day": 9, "Month": 11, "Year": 2026}}}, 2013),
        ({"Time": {**CAMPAIGN_REPORT["Time"], "CustomDateRangeStart": {"Day": 1, "Month": 10, "Year": 2023}}}, 2014),
    ],
)
def test_microsoft_refuses_a_bad_report(ask_company, change, code):
    answer = ask_company.microsoft("Submit", {"ReportRequest": {**CAMPAIGN_REPORT, **change}})
    assert answer.status_code in (400, 403)
    assert answer.json()["OperationErrors"][0]["Code"] == code


def test_microsoft_refuses_what_is_no_request_and_reports_it_never_made(ask_company):
    assert ask_company.microsoft("Submit", {"Report": CAMPAIGN_REPORT}).json()["OperationErrors"][0]["Code"] == 100
    assert ask_company.microsoft("Poll", {"ReportRequestId": "1"}).json()["OperationErrors"][0]["Code"] == 2100


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Authorization": ""}, 401, 105),
        ({"Authorization": "Bearer nobody"}, 401, 105),
        ({"DeveloperToken": "stranger"}, 401, 105),
        ({"CustomerId": "1"}, 403, 106),
    ],
)
def test_microsoft_needs_its_headers(ask_company, headers, status, code):
    answer = ask_company.microsoft("Submit", {"ReportRequest": CAMPAIGN_REPORT}, headers=headers)
    assert (answer.status_code, answer.json()["Errors"][0]["Code"]) == (status, code)


def test_microsoft_tokens_expire(company, ask_company):
    company.set(token_seconds=0)
    answer = ask_company.microsoft("Submit", {"ReportRequest": CAMPAIGN_REPORT})
    assert (answer.status_code, answer.json()["Errors"][0]["Code"]) == (401, 109)


def test_microsoft_books_close_three_hours_after_the_day(company, ask_company):
    yesterday = {"Day": 22, "Month": 11, "Year": 2026}
    report = {
        **CAMPAIGN_REPORT,
        "ReturnOnlyCompleteData": True,
        "Time": {"CustomDateRangeStart": yesterday} | {"CustomDateRangeEnd": yesterday},
    }
    company.set_now("2026-11-23T02:59:00Z")
    assert ask_company.microsoft("Submit", {"ReportRequest": report}).json()["OperationErrors"][0]["Code"] == 2004
    company.set_now("2026-11-23T03:00:00Z")
    assert ask_company.microsoft("Submit", {"ReportRequest": report}).status_code == 200


def test_the_address_of_a_report_lives_for_five_minutes_and_is_missing_without_data(company, ask_company):
    company.set(report_polls=0)
    submitted = ask_company.microsoft("Submit", {"ReportRequest": CAMPAIGN_REPORT}).json()
    address = ask_company.microsoft("Poll", submitted).json()["ReportRequestStatus"]["ReportDownloadUrl"]
    assert ask_company.http.get(address).status_code == 200
    company.set_now("2026-11-23T00:05:01Z")
    assert ask_company.http.get(address).status_code == 403
    renewed = ask_company.microsoft("Poll", submitted).json()["ReportRequestStatus"]["ReportDownloadUrl"]
    assert ask_company.http.get(renewed).status_code == 200
    early = {"Day": 1, "Month": 1, "Year": 2026}
    empty = {**CAMPAIGN_REPORT, "Time": {"CustomDateRangeStart": early, "CustomDateRangeEnd": early}}
    assert ask_company.microsoft_file(empty) is None


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"refresh_token": "old"}, 400, "invalid_grant"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"scope": "https://ads.microsoft.com/ads.manage"}, 400, "invalid_scope"),
    ],
)
def test_microsoft_gives_tokens_for_the_right_refresh_token_and_scope_only(ask, change, status, error):
    form = {
        "grant_type": "refresh_token",
        "client_id": credentials.MICROSOFT_CLIENT_ID,
        "client_secret": credentials.MICROSOFT_CLIENT_SECRET,
        "refresh_token": credentials.MICROSOFT_REFRESH_TOKEN,
        "scope": "https://ads.microsoft.com/msads.manage offline_access",
    }
    assert set(ask.http.post("/common/oauth2/v2.0/token", data=form).json()) >= {"access_token", "expires_in"}
    bad = ask.http.post("/common/oauth2/v2.0/token", data={**form, **change})
    assert (bad.status_code, bad.json()["error"]) == (status, error)


# --- HubSpot ----------------------------------------------------------------------------------------------------------


def search(**filters):
    return {
        "filterGroups": [{"filters": [{"propertyName": "lastmodifieddate", "operator": "GT", "value": "0", **filters}]}]
    }


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 201},
        {"limit": 0},
        {"after": "next"},
        {"sorts": ["shoesize"]},
        {"sorts": ["email", "createdate"]},
        search(propertyName="shoesize"),
        search(operator="RESEMBLES"),
        search(value="yesterday"),
        search(operator="BETWEEN", value="1"),
        {"filterGroups": [{"filters": [{"propertyName": "email", "operator": "EQ"}]}]},
        {"filterGroups": [{"filters": []}] * 6},
    ],
)
def test_hubspot_refuses_a_bad_search(ask, body):
    answer = ask.hubspot_search("contacts", **body)
    assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")


def test_hubspot_search_ends_at_its_cap(worked, ask):
    worked.set(hubspot_search_cap=2)
    assert ask.hubspot_search("contacts", limit=2).json()["total"] == 3
    beyond = ask.hubspot_search("contacts", limit=2, after="2")
    assert beyond.status_code == 400


def test_hubspot_search_goes_on_by_id_past_the_cap(ask):
    beyond = {"propertyName": "hs_object_id", "operator": "GT", "value": "101"}
    found = ask.hubspot_search("contacts", filterGroups=[{"filters": [beyond]}], sorts=["hs_object_id"]).json()
    assert [one["id"] for one in found["results"]] == ["102", "103"]


def test_hubspot_search_bounds_of_between_belong_to_it(ask):
    def found(low, high):
        body = search(operator="BETWEEN", value=str(low), highValue=str(high))
        return [one["id"] for one in ask.hubspot_search("contacts", **body).json()["results"]]

    merged = 1_768_435_200_000  # 2026-01-15T00:00:00Z, when Carl was merged
    assert found(merged, merged) == ["103"]
    assert found(merged + 1, merged + 1_000) == []


def test_hubspot_search_shows_changes_late_when_told_to(worked, ask):
    worked.set_now("2026-01-05T10:00:30Z")
    assert ask.hubspot_search("contacts").json()["total"] == 1
    worked.set(hubspot_search_lag_seconds=60)
    assert ask.hubspot_search("contacts").json()["total"] == 0


def test_hubspot_wants_a_known_bearer(ask):
    path = "/crm/objects/2026-09/contacts"
    assert ask.http.get(path).json()["category"] == "INVALID_AUTHENTICATION"
    assert ask.http.get(path, headers={"Authorization": "Bearer nobody"}).status_code == 401


def test_hubspot_oauth_tokens_work_and_expire(worked, ask):
    form = {
        "grant_type": "refresh_token",
        "client_id": credentials.HUBSPOT_CLIENT_ID,
        "client_secret": credentials.HUBSPOT_CLIENT_SECRET,
        "refresh_token": credentials.HUBSPOT_REFRESH_TOKEN,
    }
    token = ask.http.post("/oauth/2026-09/token", data=form).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert ask.http.get("/crm/objects/2026-09/contacts", headers=headers).status_code == 200
    worked.set(token_seconds=0)
    late = ask.http.post("/oauth/v1/token", data=form).json()["access_token"]
    answer = ask.http.get("/crm/objects/2026-09/contacts", headers={"Authorization": f"Bearer {late}"})
    assert answer.json()["category"] == "EXPIRED_AUTHENTICATION"
    assert ask.http.post("/oauth/v1/token", data={**form, "client_secret": "wrong"}).status_code == 400


@pytest.mark.parametrize("version", ["crm/objects/2026-09", "crm/objects/2026-03", "crm/v3/objects"])
def test_hubspot_answers_on_dated_and_old_paths(ask, version):
    assert ask.hubspot_search("contacts", version=version).json()["total"] == 3


def test_hubspot_knows_no_other_versions_or_objects(ask):
    assert ask.hubspot_search("contacts", version="crm/objects/2024-03").status_code == 404
    assert ask.hubspot_search("shoes").status_code == 400


def test_hubspot_list_pages_are_smaller_with_history(ask):
    path = "/crm/objects/2026-09/contacts"
    assert ask.hubspot("GET", path, params={"limit": 100}).status_code == 200
    with_history = {"limit": 51, "propertiesWithHistory": "lifecyclestage"}
    assert ask.hubspot("GET", path, params=with_history).status_code == 400
    body = {
        "inputs": [{"id": str(n)} for n in range(51)],
        "properties": [],
        "propertiesWithHistory": ["lifecyclestage"],
    }
    assert ask.hubspot("POST", f"{path}/batch/read", json=body).status_code == 400


def test_hubspot_search_shows_no_archived_and_no_merged_contacts(ask_company):
    path = "/crm/objects/2026-09/contacts"
    archived, after = [], None
    while True:
        query = {"archived": "true", "limit": 20, **({"after": after} if after else {})}
        page = ask_company.hubspot("GET", path, params=query).json()
        archived += [one["id"] for one in page["results"]]
        after = page.get("paging", {}).get("next", {}).get("after")
        if after is None:
            break
    assert len(archived) > 20
    found, after = [], "0"
    while after is not None:
        page = ask_company.hubspot_search("contacts", after=after, properties=["hs_merged_object_ids"]).json()
        found += page["results"]
        after = page.get("paging", {}).get("next", {}).get("after")
    shown = {one["id"] for one in found}
    losers = {one["properties"]["hs_merged_object_ids"] for one in found} - {None}
    assert len(losers) > 5
    assert not shown & losers
    assert not shown & set(archived)
    assert not losers & set(archived)


def test_hubspot_unknown_properties_are_left_out_and_empty_ones_null(ask):
    (one,) = ask.hubspot_search(
        "contacts",
        properties=["utm_id", "shoesize", "salesforceleadid"],
        filterGroups=[{"filters": [{"propertyName": "email", "operator": "EQ", "value": "Ana@Account-X.example"}]}],
    ).json()["results"]
    assert one["properties"]["utm_id"] == "11"
    assert one["properties"]["salesforceleadid"] is None
    assert "shoesize" not in one["properties"]


def test_hubspot_events_are_filtered_by_time_type_and_contact(ask):
    def ids(path="/events/event-occurrences/2026-09", **query):
        return [one["id"] for one in ask.hubspot("GET", path, params=query).json()["results"]]

    assert ids() == ["evt-3", "evt-2", "evt-1"]
    assert ids(path="/events/v3/events/", sort="occurredAt") == ["evt-1", "evt-2", "evt-3"]
    assert ids(occurredAfter="2026-01-09T15:00:00Z", occurredBefore="2026-01-25T09:00:00Z") == ["evt-2"]
    assert ids(objectType="contact", objectId="102") == ["evt-3"]
    assert ids(eventType="pe4242_webinar_attended") == ["evt-2"]
    assert ask.hubspot("GET", "/events/v3/events", params={"objectId": "102"}).status_code == 400
    assert ask.hubspot("GET", "/events/v3/events", params={"occurredAfter": "soon"}).status_code == 400


# --- Salesforce -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Shoesize FROM Lead", "INVALID_FIELD"),
        ("SELECT Id, Id FROM Lead", "INVALID_FIELD"),
        ("SELECT IsDeleted FROM User", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE CreatedDate > '2026-01-01T00:00:00Z'", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE Email = 5", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE CreatedDate > null", "INVALID_FIELD"),
        ("SELECT Id FROM Shoe", "INVALID_TYPE"),
        ("SELECT FROM Lead", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE (Email = 'a'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead LIMIT many", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead ORDER", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead nonsense", "MALFORMED_QUERY"),
        ("DELETE FROM Lead", "MALFORMED_QUERY"),
        ("", "MALFORMED_QUERY"),
    ],
)
def test_salesforce_refuses_a_bad_query(ask, soql, code):
    answer = ask.query(soql)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)


@pytest.mark.parametrize(("version", "status"), [("v30.0", 410), ("v31.0", 200), ("v68.0", 200), ("v69.0", 404)])
def test_salesforce_versions_end(ask, version, status):
    assert ask.query("SELECT Id FROM Lead", version=version).status_code == status


def test_salesforce_wants_a_session(ask):
    answer = ask.http.get("/services/data/v68.0/query/", params={"q": "SELECT Id FROM Lead"})
    assert (answer.status_code, answer.json()) == (
        401,
        [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}],
    )


@pytest.mark.parametrize(
    ("soql", "count"),
    [
        ("SELECT Id FROM Lead", 2),
        ("select id from lead where email = 'ANA@account-x.example'", 1),
        ("SELECT Id FROM Lead WHERE FirstName IN ('Ana', 'Dora') AND NOT (LeadSource = 'Web')", 1),
        ("SELECT Id FROM Lead WHERE NOT FirstName = 'Nobody'", 2),
        ("SELECT Id FROM Lead WHERE FirstName NOT IN ('Ana')", 1),
        ("SELECT Id FROM Lead WHERE FirstName LIKE 'D%'", 1),
        ("SELECT Id FROM Opportunity WHERE Amount > 300 AND (IsWon = true OR CurrencyIsoCode = 'USD')", 3),
        ("SELECT Id FROM Opportunity WHERE CloseDate = 2026-01-20", 2),
        ("SELECT Id FROM Opportunity WHERE CreatedDate >= 2026-01-22T01:00:00+01:00", 2),
        ("SELECT Id FROM Opportunity WHERE AccountId = null", 1),
        ("SELECT Id FROM Opportunity WHERE AccountId != null LIMIT 2", 2),
        ("SELECT Id FROM Opportunity ORDER BY Amount DESC NULLS LAST LIMIT 10 OFFSET 3", 1),
    ],
)
def test_salesforce_selects(ask, soql, count):
    assert len(ask.query(soql).json()["records"]) == count


def test_salesforce_counts_and_orders(ask):
    assert ask.query("SELECT COUNT() FROM Opportunity").json() == {"totalSize": 4, "done": True, "records": []}
    rows = ask.query("SELECT Amount FROM Opportunity ORDER BY Amount DESC").json()["records"]
    assert [row["Amount"] for row in rows] == [2000.0, 1000.0, 500.0, 300.0]

    def sources(order):
        return [
            row["LeadSource"]
            for row in ask.query(f"SELECT LeadSource FROM Opportunity ORDER BY {order}").json()["records"]
        ]

    assert sources("LeadSource") == [None, "Outbound", "Partner", "Web"]
    assert sources("LeadSource DESC NULLS LAST") == ["Web", "Partner", "Outbound", None]


def test_salesforce_hides_deleted_records_from_query_only(ask_company):
    soql = "SELECT Id, IsDeleted, MasterRecordId, SystemModstamp FROM Lead WHERE IsDeleted = true"
    assert ask_company.query(soql).json()["records"] == []
    deleted = ask_company.query_all(soql)
    assert any(row["MasterRecordId"] for row in deleted)
    assert any(row["MasterRecordId"] is None for row in deleted)


def test_salesforce_pages_by_locator_under_query(company, ask_company):
    company.set(salesforce_page_size=500)
    first = ask_company.query("SELECT Id FROM Lead", "queryAll")
    assert first.headers["Sforce-Limit-Info"].startswith("api-usage=")
    body = first.json()
    assert (body["done"], len(body["records"])) == (False, 500)
    assert body["nextRecordsUrl"].startswith("/services/data/v68.0/query/0r8")
    assert body["nextRecordsUrl"].endswith("-500")
    total = ask_company.query_all("SELECT Id FROM Lead")
    assert len(total) == body["totalSize"]
    assert len({row["Id"] for row in total}) == len(total)


def test_salesforce_batch_size_has_bounds(ask_company):
    def page(size):
        return ask_company.query("SELECT Id FROM Lead", headers={"Sforce-Query-Options": f"batchSize={size}"})

    assert len(page(200).json()["records"]) == 200
    assert page(199).status_code == 400
    assert page(2001).status_code == 400


def test_salesforce_forgets_unknown_locators(ask):
    answer = ask.salesforce("query/0r8Kx0000000099QAA-2000")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")


def salesforce_login(ask, **form):
    return ask.http.post("/services/oauth2/token", data=form)


def test_salesforce_gives_sessions_for_each_grant(ask):
    client = {"client_id": credentials.SALESFORCE_CLIENT_ID, "client_secret": credentials.SALESFORCE_CLIENT_SECRET}
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    claims = {
        "iss": credentials.SALESFORCE_CLIENT_ID,
        "sub": credentials.SALESFORCE_SUBJECT,
        "aud": "https://login.salesforce.com",
        "exp": datetime.now(UTC) + timedelta(minutes=3),
    }
    bearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    answers = [
        salesforce_login(ask, grant_type="client_credentials", **client),
        ask.http.post(
            "/services/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=(client["client_id"], client["client_secret"]),
        ),
        salesforce_login(ask, grant_type="refresh_token", refresh_token=credentials.SALESFORCE_REFRESH_TOKEN, **client),
        salesforce_login(ask, grant_type=bearer, assertion=jwt.encode(claims, key, algorithm="RS256")),
    ]
    for answer in answers:
        assert answer.status_code == 200
        assert {"access_token", "instance_url", "id", "issued_at", "signature", "token_type"} <= set(answer.json())
        assert "expires_in" not in answer.json()
    late = jwt.encode({**claims, "exp": datetime.now(UTC) - timedelta(hours=1)}, key, algorithm="RS256")
    for form in (
        {"grant_type": "client_credentials", **client, "client_secret": "wrong"},
        {"grant_type": "refresh_token", **client, "refresh_token": "old"},
        {"grant_type": bearer, "assertion": late},
        {"grant_type": bearer, "assertion": jwt.encode(claims, "x" * 32, algorithm="HS256")},
        {"grant_type": "password"},
    ):
        assert salesforce_login(ask, **form).status_code == 400


# --- limits and the rest ----------------------------------------------------------------------------------------------


def test_real_rate_limits_stop_the_sixth_search_of_a_second():
    with process.running(scenario="worked_example", rate_limits="real") as handle:
        ask = Vendors(handle)
        answers = [ask.hubspot_search("contacts") for _ in range(8)]
        stopped = [one.json() for one in answers if one.status_code == 429]
        assert stopped
        assert stopped[0]["errorType"] == "RATE_LIMIT"
        assert stopped[0]["policyName"] == "SECONDLY"
        assert answers[0].status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [("/crm/nowhere", 404), ("/services/data/v68.0/nowhere", 404), ("/v26.0/a/b/c/d", 400), ("/elsewhere", 404)],
)
def test_unknown_paths_are_refused_by_whoever_owns_them(ask, path, status):
    assert ask.http.get(path).status_code == status


# --- GA4 --------------------------------------------------------------------------------------------------------------

PROPERTY = "310000009"
REPORT = {
    "dateRanges": [{"startDate": "2026-01-01", "endDate": "2026-01-31"}],
    "dimensions": [{"name": "date"}],
    "metrics": [{"name": "sessions"}],
}


def google_state(answer):
    error = answer.json()["error"]
    assert error["code"] == answer.status_code
    return answer.status_code, error["status"]


def test_ga4_refuses_who_did_not_sign(ask):
    path = f"/v1beta/properties/{PROPERTY}:runReport"
    now = datetime.now(UTC)
    claims = {"iss": credentials.GA4_CLIENT_EMAIL, "iat": now, "exp": now + timedelta(hours=1)}
    audience = {"aud": "https://analyticsdata.googleapis.com/"}
    ours = credentials.service_account_key()
    other = rsa.generate_private_key(65537, 2048)
    expired = {"iat": now - timedelta(hours=2), "exp": now - timedelta(hours=1)}
    for token in (
        None,
        "ya29.made-up",
        jwt.encode({**claims, **audience}, other, algorithm="RS256"),
        jwt.encode({**claims, **audience, "iss": "someone@else.example"}, ours, algorithm="RS256"),
        jwt.encode({**claims, **audience, **expired}, ours, algorithm="RS256"),
        jwt.encode({**claims, **audience, "exp": now + timedelta(days=1)}, ours, algorithm="RS256"),
        jwt.encode({**claims, "aud": "https://bigquery.googleapis.com/"}, ours, algorithm="RS256"),
    ):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        assert google_state(ask.http.post(path, json=REPORT, headers=headers)) == (401, "UNAUTHENTICATED")
    scope = {"scope": "https://www.googleapis.com/auth/analytics.readonly"}
    for good in (audience, scope):
        token = jwt.encode({**claims, **good}, ours, algorithm="RS256")
        assert ask.http.post(path, json=REPORT, headers={"Authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "refresh_token"}, "unsupported_grant_type"),
        ({"assertion": "not.a.token"}, "invalid_grant"),
        ({"aud": "https://elsewhere.example/token"}, "invalid_grant"),
        ({"scope": "https://www.googleapis.com/auth/drive"}, "invalid_scope"),
    ],
)
def test_ga4_gives_no_token_for_a_bad_assertion(ask, form, error):
    now = datetime.now(UTC)
    url = f"{ask.handle.base_url}/oauth2/v4/token"
    claims = {
        "iss": credentials.GA4_CLIENT_EMAIL,
        "iat": now,
        "exp": now + timedelta(hours=1),
        "aud": form.pop("aud", url),
        "scope": form.pop("scope", "https://www.googleapis.com/auth/analytics.readonly"),
    }
    signed = jwt.encode(claims, credentials.service_account_key(), algorithm="RS256")
    grant = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": signed}
    answer = ask.http.post(url, data={**grant, **form})
    assert (answer.status_code, answer.json()["error"]) == (400, error)


@pytest.mark.parametrize(
    "wrong",
    [
        {"dimensions": [{"name": "shoeSize"}]},
        {"metrics": [{"name": "shoeSize"}]},
        {"metrics": []},
        {"dimensions": [{"name": "date"}, {"name": "date"}]},
        {"dateRanges": []},
        {"dateRanges": [{"startDate": "2026-01-31", "endDate": "2026-01-01"}]},
        {"dateRanges": [{"startDate": "20260101", "endDate": "2026-01-31"}]},
        {"dateRanges": [{"startDate": "2026-02-30", "endDate": "2026-03-31"}]},
        {"limit": "-1"},
        {"offset": "many"},
        {"shoeSize": 42},
        {"orderBys": [{"dimension": {"dimensionName": "country"}}]},
    ],
    ids=str,
)
def test_ga4_refuses_a_bad_report(ask, wrong):
    assert google_state(ask.ga4(PROPERTY, **{**REPORT, **wrong})) == (400, "INVALID_ARGUMENT")


def test_ga4_refuses_a_property_that_is_not_shared_and_a_version_that_is_none(ask):
    assert google_state(ask.ga4("999", **REPORT)) == (403, "PERMISSION_DENIED")
    gone = ask.ga4(PROPERTY, version="v3", **REPORT)
    assert (gone.status_code, gone.headers["content-type"].split(";")[0]) == (404, "text/html")


def test_ga4_writes_nothing_where_there_is_nothing(ask):
    answer = ask.ga4(PROPERTY, **REPORT).json()
    assert "rows" not in answer
    assert "rowCount" not in answer
    assert answer["metadata"] == {"currencyCode": "USD", "timeZone": "UTC"}


def test_ga4_counts_the_tokens_of_an_hour(ask):
    with process.running(scenario="worked_example", rate_limits="real") as limited:
        vendors = Vendors(limited)
        remaining = [
            vendors.ga4(PROPERTY, **REPORT, returnPropertyQuota=True).json()["propertyQuota"] for _ in range(2)
        ]
        assert [one["tokensPerProjectPerHour"]["remaining"] for one in remaining] == [13_990, 13_980]
        for _ in range(1_398):
            vendors.ga4(PROPERTY, **REPORT)
        refused = vendors.ga4(PROPERTY, **REPORT)
        assert google_state(refused) == (429, "RESOURCE_EXHAUSTED")
        assert "Exhausted property tokens" in refused.json()["error"]["message"]


# --- Shopify ----------------------------------------------------------------------------------------------------------

ORDERS = "{ orders(first: 5) { nodes { name } pageInfo { hasNextPage } } }"


def graphql_code(answer):
    assert answer.status_code == 200, answer.text
    (error,) = answer.json()["errors"]
    return error.get("extensions", {}).get("code")


def test_shopify_refuses_who_has_no_token(ask):
    for headers in ({}, {"X-Shopify-Access-Token": "wrong"}, {"Authorization": f"Bearer {credentials.SHOPIFY_TOKEN}"}):
        refused = ask.shopify(ORDERS, headers=headers)
        assert (refused.status_code, "Invalid API key" in refused.json()["errors"]) == (401, True)
    assert ask.shopify(ORDERS, headers={"X-Shopify-Access-Token": credentials.SHOPIFY_TOKEN}).status_code == 200


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
    ],
)
def test_shopify_gives_no_token_for_bad_credentials(ask, form, status, error):
    good = {
        "grant_type": "client_credentials",
        "client_id": credentials.SHOPIFY_CLIENT_ID,
        "client_secret": credentials.SHOPIFY_CLIENT_SECRET,
    }
    refused = ask.http.post("/admin/oauth/access_token", data={**good, **form})
    assert (refused.status_code, refused.json()["error"]) == (status, error)
    given = ask.http.post("/admin/oauth/access_token", json=good).json()
    assert given["expires_in"] == 86_399
    assert "read_all_orders" in given["scope"].split(",")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ orders(first: 5) { nodes { shoeSize } } }", "undefinedField"),
        ("{ shoes { id } }", "undefinedField"),
        ("{ orders { nodes { name } } }", "BAD_REQUEST"),
        ("{ orders(first: 251) { nodes { name } } }", "BAD_REQUEST"),
        ('{ orders(first: 5, after: "no cursor") { nodes { name } } }', "BAD_REQUEST"),
        ("{ orders(first: 5) { nodes { lineItems } } }", "selectionMismatch"),
        ("{ shop { name { first } } }", "selectionMismatch"),
        ("{ orders(first: 5) { nodes { name }", None),
        ("mutation { orderDelete { id } }", "undefinedField"),
    ],
)
def test_shopify_refuses_a_bad_query_with_status_200(ask, query, code):
    assert graphql_code(ask.shopify(query)) == code


def test_shopify_refuses_a_version_that_is_none_and_answers_old_ones_as_its_oldest(ask):
    gone = ask.shopify(ORDERS, version="v1")
    assert (gone.status_code, gone.json()) == (404, {"errors": "Not Found"})
    old = ask.shopify(ORDERS, version="2024-04")
    assert (old.status_code, old.headers["x-shopify-api-version"]) == (200, "2026-01")


def names(answer):
    return {order["name"] for order in answer.json()["data"]["orders"]["nodes"]}


def test_shopify_ignores_the_time_of_a_date_time_without_quotes(ask):
    query = "query($q: String) { orders(first: 5, query: $q) { nodes { name } } }"
    assert names(ask.shopify(query, q="updated_at:>='2026-01-28T12:00:00Z'")) == set()
    assert names(ask.shopify(query, q="updated_at:>=2026-01-28T12:00:00Z")) == {"S1"}
    assert names(ask.shopify(query, q="updated_at:>='2026-01-20T00:00:00Z' AND updated_at:<'2026-01-21'")) == {"S2"}


def test_shopify_draws_points_from_a_bucket_that_refills(ask):
    with process.running(scenario="worked_example", rate_limits="real") as limited:
        vendors = Vendors(limited)
        dear = "{ orders(first: 250) { nodes { lineItems(first: 250) { nodes { id } } refunds { id } } } }"
        seen = [vendors.shopify(dear).json() for _ in range(40)]
        refused = next(one for one in seen if "errors" in one)
        assert refused["errors"][0]["extensions"]["code"] == "THROTTLED"
        cost = refused["extensions"]["cost"]
        assert cost["requestedQueryCost"] > cost["throttleStatus"]["currentlyAvailable"]
        assert cost["throttleStatus"]["restoreRate"] == 100


def test_shopify_refuses_a_query_that_costs_too_much(ask):
    many = " ".join(f"o{number}: orders(first: 250) {{ nodes {{ id }} }}" for number in range(20))
    assert graphql_code(ask.shopify(f"{{ {many} }}")) == "MAX_COST_EXCEEDED"


BULK = (
    "mutation($q: String!) { bulkOperationRunQuery(query: $q) { bulkOperation { id status } userErrors { message } } }"
)


def bulk_problem(ask, query):
    answer = ask.shopify(BULK, q=query).json()["data"]["bulkOperationRunQuery"]
    return [error["message"] for error in answer["userErrors"]]


def test_shopify_refuses_bulk_queries_that_it_cannot_run(ask):
    inside = "{ orders { edges { node { id refunds { id refundLineItems { edges { node { id } } } } } } } }"
    (message,) = bulk_problem(ask, inside)
    assert "connection field within a list field" in message
    assert len(bulk_problem(ask, "{ shop { name } }")) == 1
    assert len(bulk_problem(ask, "{ orders {")) == 1
    ask.handle.set(report_polls=100)
    fine = "{ orders { edges { node { id } } } }"
    assert [bulk_problem(ask, fine) for _ in range(5)] == [[]] * 5
    assert "already in progress" in bulk_problem(ask, fine)[0]


def test_shopify_writes_children_after_all_parents_and_names_them(ask):
    query = "{ orders { edges { node { name id lineItems { edges { node { sku } } } } } } }"
    started = ask.shopify(BULK, q=query).json()["data"]["bulkOperationRunQuery"]["bulkOperation"]
    poll = "query($id: ID!) { node(id: $id) { ... on BulkOperation { status url objectCount } } }"
    states = [ask.shopify(poll, id=started["id"]).json()["data"]["node"] for _ in range(3)]
    assert [state["status"] for state in states][-1] == "COMPLETED"
    assert started["status"] == "CREATED"
    text = ask.http.get(states[-1]["url"]).text
    lines = [orjson.loads(line) for line in text.splitlines()]
    assert [line.get("name") or line["sku"] for line in lines] == ["S1", "S2", "KIT-1", "BOK-1", "INVOICE"]
    assert lines[2]["__parentId"] == lines[0]["id"]
    assert states[-1]["objectCount"] == "5"
    assert ask.http.get(states[-1]["url"].replace("made-up", "forged")).status_code == 403


# --- exchange rates -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "parameters", "status"),
    [
        ("D.USD.EUR.SP00.A", {"startPeriod": "2026-01-03", "endPeriod": "2026-01-04"}, 404),
        ("D.ZZZ.EUR.SP00.A", {"startPeriod": "2026-01-05", "endPeriod": "2026-01-06"}, 404),
        ("D.USD.EUR.SP00.A", {"startPeriod": "yesterday"}, 400),
        ("D.USD.EUR.SP00.A", {"format": "jsondata"}, 406),
        ("M.USD.EUR.SP00.A", {}, 404),
    ],
)
def test_the_central_bank_has_nothing_to_say(ask, path, parameters, status):
    """A weekend, a currency that is none, a period that is none, another format or frequency."""
    answer = ask.http.get(f"/service/data/EXR/{path}", params={"format": "csvdata", **parameters})
    assert answer.status_code == status
    assert "TIME_PERIOD" not in answer.text
