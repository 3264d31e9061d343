"""The sandbox refuses the same requests as LinkedIn Ads, with its messages and status."""

import pytest

from sandbox import credentials

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


def test_linkedin_without_access_returns_empty_statistics_but_refuses_the_list_of_campaigns(ask_company):
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
