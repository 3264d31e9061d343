"""The sandbox refuses the same requests as Microsoft Ads, with its messages and status."""

import pytest

from sandbox import credentials

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


def test_microsoft_refuses_invalid_requests_and_unknown_reports(ask_company):
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
