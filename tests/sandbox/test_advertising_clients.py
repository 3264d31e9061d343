"""Clients of the ad platforms, unmodified, read the sandbox."""

import time
from datetime import date, timedelta

import pytest

from sandbox import credentials
from sandbox.clock import moment
from sandbox.worlds import build
from tests.sandbox.apart import run_apart
from tests.sandbox.conftest import ANCHOR

ACCOUNT = "331122334455661"


# --- Meta: facebook-business ------------------------------------------------------------------------------------------


@pytest.fixture
def meta_account(company, monkeypatch):
    from facebook_business.adobjects.adaccount import AdAccount
    from facebook_business.api import FacebookAdsApi
    from facebook_business.session import FacebookSession

    monkeypatch.setattr(FacebookSession, "GRAPH", company.base_url)
    FacebookAdsApi.init("1234567890", credentials.META_APP_SECRET, credentials.META_ACCESS_TOKEN, crash_log=False)
    return AdAccount(f"act_{ACCOUNT}")


INSIGHTS = {
    "level": "campaign",
    "time_increment": 1,
    "time_range": {"since": "2026-11-01", "until": "2026-11-14"},
    "limit": 20,
}


def test_facebook_business_reads_insights_over_all_pages(meta_account):
    rows = list(meta_account.get_insights(fields=["campaign_id", "spend", "actions"], params=INSIGHTS))
    assert len(rows) > 60
    assert len({(row["campaign_id"], row["date_start"]) for row in rows}) == len(rows)


def test_facebook_business_polls_a_report_run_and_reads_the_same_rows(meta_account):
    fields = ["campaign_id", "spend"]
    run = meta_account.get_insights_async(fields=fields, params=INSIGHTS)
    statuses = []
    for _ in range(20):
        run.api_get()
        statuses.append(run["async_status"])
        if run["async_status"] == "Job Completed":
            break
        time.sleep(0.05)
    assert statuses == ["Job Running", "Job Completed"]
    read = [dict(row) for row in run.get_insights(params={"limit": 20})]
    assert read == [dict(row) for row in meta_account.get_insights(fields=fields, params=INSIGHTS)]


def test_facebook_business_lists_campaigns_and_the_account(meta_account):
    campaigns = list(meta_account.get_campaigns(fields=["name", "effective_status", "objective"], params={"limit": 4}))
    assert len(campaigns) == 6
    assert "Lookalike US 2%" in {campaign["name"] for campaign in campaigns}
    account = meta_account.api_get(fields=["currency", "timezone_name"])
    assert (account["currency"], account["timezone_name"]) == ("USD", "America/New_York")


def test_facebook_business_names_a_refusal(meta_account):
    from facebook_business.exceptions import FacebookRequestError

    with pytest.raises(FacebookRequestError) as refused:
        meta_account.get_insights(fields=["shoe_size"], params=INSIGHTS)
    assert refused.value.api_error_code() == 100


# --- Google Ads: the protobuf types of the google-ads package ---------------------------------------------------------

STATISTICS = (
    "SELECT customer.id, customer.currency_code, customer.time_zone, campaign.id, campaign.name, campaign.status, "
    "campaign.advertising_channel_type, segments.date, metrics.cost_micros, metrics.impressions, metrics.clicks, "
    "metrics.conversions, metrics.conversions_value FROM campaign "
    "WHERE segments.date BETWEEN '2026-11-01' AND '2026-11-14'"
)


def test_google_batches_parse_into_protobuf_types(ask_company):
    from google.ads.googleads.v26.services.types.google_ads_service import SearchGoogleAdsStreamResponse
    from google.protobuf import json_format

    (batch,) = ask_company.google("4155550101", STATISTICS).json()
    parsed = json_format.ParseDict(batch, SearchGoogleAdsStreamResponse.pb(SearchGoogleAdsStreamResponse()))
    assert len(parsed.results) == len(batch["results"]) > 80
    assert sum(row.metrics.cost_micros for row in parsed.results) == sum(
        int(row["metrics"]["costMicros"]) for row in batch["results"]
    )
    assert parsed.results[0].customer.currency_code == "EUR"


def test_google_search_pages_parse_into_protobuf_types(company, ask_company):
    from google.ads.googleads.v26.services.types.google_ads_service import SearchGoogleAdsResponse
    from google.protobuf import json_format

    company.set(google_page_size=40)
    rows, token, pages = [], "", 0
    while True:
        body = {"pageToken": token} if token else {}
        page = ask_company.google("4155550101", STATISTICS, method="search", **body).json()
        parsed = json_format.ParseDict(page, SearchGoogleAdsResponse.pb(SearchGoogleAdsResponse()))
        rows += [(row.campaign.id, row.segments.date) for row in parsed.results]
        pages += 1
        token = parsed.next_page_token
        if not token:
            break
    assert pages == 3
    assert len(rows) == len(set(rows)) > 80


def test_google_conversion_actions_and_accounts_parse_into_protobuf_types(ask_company):
    from google.ads.googleads.v26.services.types.google_ads_service import SearchGoogleAdsStreamResponse
    from google.protobuf import json_format

    for query in (
        "SELECT conversion_action.id, conversion_action.name, conversion_action.type, conversion_action.status, "
        "conversion_action.click_through_lookback_window_days, conversion_action.view_through_lookback_window_days "
        "FROM conversion_action",
        "SELECT customer.id, customer.descriptive_name, customer.manager, customer.status FROM customer",
    ):
        (batch,) = ask_company.google("4155550101", query).json()
        parsed = json_format.ParseDict(batch, SearchGoogleAdsStreamResponse.pb(SearchGoogleAdsStreamResponse()))
        assert len(parsed.results) == len(batch["results"]) >= 1


def test_google_errors_parse_into_the_protobuf_failure(ask_company):
    from google.ads.googleads.v26.errors.types.errors import GoogleAdsFailure
    from google.protobuf import json_format

    answer = ask_company.google("4155550101", "SELECT campaign.shoe_size FROM campaign")
    details = answer.json()[0]["error"]["details"][0]
    assert details.pop("@type").endswith("v26.errors.GoogleAdsFailure")
    failure = json_format.ParseDict(details, GoogleAdsFailure.pb(GoogleAdsFailure()))
    assert failure.errors[0].error_code.query_error == 32  # UNRECOGNIZED_FIELD


# --- LinkedIn: Airbyte's connector, whose packages do not fit ours, in an environment of its own ----------------------


@pytest.mark.soak
def test_airbytes_linkedin_connector_reads_the_sandbox(company):
    """Unmodified, with its own fields, windows and pages; it sends a version that was sunset long ago."""
    company.set(accept_sunset_versions=True)
    keys = (credentials.LINKEDIN_CLIENT_ID, credentials.LINKEDIN_CLIENT_SECRET, credentials.LINKEDIN_REFRESH_TOKEN)
    # Campaigns changed last before the start date would be left out.
    read = run_apart(
        "linkedin", company.base_url, "2026-07-01", *keys, "accounts", "campaigns", "ad_campaign_analytics"
    )
    assert read["errors"] == []
    records = read["records"]
    scenario = build("company", 7, date.fromisoformat(ANCHOR))
    now = moment(ANCHOR)
    accounts = scenario.accounts("linkedin_ads")
    assert {one["currency"] for one in records["accounts"]} == {account.currency for account in accounts}
    assert {str(one["id"]): one["name"] for one in records["campaigns"]} == {
        campaign.id: campaign.name_at(now) for account in accounts for campaign in account.campaigns
    }
    days = [date(2026, 7, 1) + timedelta(number) for number in range(150)]
    spent = {
        (campaign.id, day.isoformat()): (figures.spend_cents, figures.clicks)
        for account in accounts
        for campaign in account.campaigns
        for day in days
        if (figures := account.report(campaign, day, now))
    }
    assert len(spent) > 1_000
    assert spent == {
        (one["sponsoredCampaign"], one["start_date"]): (round(float(one["costInLocalCurrency"]) * 100), one["clicks"])
        for one in records["ad_campaign_analytics"]
    }


# --- Microsoft: msads, whose models are a thousand modules, in an environment of its own too --------------------------


@pytest.mark.soak
def test_msads_submits_polls_downloads_and_parses_a_report(company):
    """With its own reader of the lines before and after the rows."""
    keys = (
        credentials.MICROSOFT_CLIENT_ID,
        credentials.MICROSOFT_CLIENT_SECRET,
        credentials.MICROSOFT_REFRESH_TOKEN,
        credentials.MICROSOFT_DEVELOPER_TOKEN,
        credentials.MICROSOFT_CUSTOMER_ID,
    )
    read = run_apart("microsoft", company.base_url, *keys, "180000001")
    account = build("company", 7, date.fromisoformat(ANCHOR)).accounts("microsoft_ads")[0]
    now = moment(ANCHOR)
    expected = {
        (campaign.id, day.isoformat()): (campaign.name_at(now), str(figures.clicks), figures.spend_cents)
        for campaign in account.campaigns
        for day in (date(2026, 11, 1) + timedelta(number) for number in range(14))
        if (figures := account.report(campaign, day, now))
    }
    assert {
        (row["CampaignId"], row["TimePeriod"]): (row["CampaignName"], row["Clicks"], round(float(row["Spend"]) * 100))
        for row in read["rows"]
    } == expected
    assert read["count"] == len(expected) > 60
    assert read["time_zone"] == "(GMT) Greenwich Mean Time: Dublin, Edinburgh, Lisbon, London"
    assert (read["aggregation"], read["incomplete"], read["columns"][0]) == ("Daily", False, "TimePeriod")
