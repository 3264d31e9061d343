"""What is special about reading LinkedIn Ads."""

from collections import Counter
from typing import Any

import pytest

from funnel.rest import client as rest_client
from funnel.rest import errors
from funnel.sources import SOURCES
from tests.sources.test_streams import WEEK, expected_keys, key_of, read


def test_linkedin_windows_are_sized_so_that_no_answer_is_full(company: Any) -> None:
    """Six and five campaigns on seven days: three days at a time are 18 elements at most."""
    company.handle.set(linkedin_max_elements=20)
    whole = read("linkedin_ads", "campaign_stats", company.connection("linkedin_ads"), WEEK)
    company.handle.control("DELETE", "requests")
    sized = read("linkedin_ads", "campaign_stats", company.connection("linkedin_ads", max_elements=20), WEEK)
    asked = [one for one in company.handle.requests() if one["path"] == "/rest/adAnalytics"]
    assert [len(page) < 20 for page in sized] == [True] * 6
    assert len(asked) == 6
    lost = sum(map(len, sized)) - sum(map(len, whole))
    assert lost > 0, "without its windows the answer was cut in silence"


def test_a_full_answer_of_linkedin_is_halved_down_to_some_campaigns_of_a_day(company: Any) -> None:
    """The cap is lower than the connector's setting: only a full answer shows it."""
    expected = expected_keys(company, "linkedin_ads", "campaign_stats", WEEK)
    declared = SOURCES["linkedin_ads"].stream("campaign_stats")
    company.handle.set(linkedin_max_elements=3)
    connection = company.connection("linkedin_ads", max_elements=3)
    rows = [row for page in read("linkedin_ads", "campaign_stats", connection, WEEK) for row in page]
    assert Counter(key_of(declared, row) for row in rows).most_common(1)[0][1] == 1
    assert {key_of(declared, row) for row in rows} == expected
    by_campaign = [one for one in company.handle.requests() if "campaigns=List(" in one["query"]]
    assert len(by_campaign) > 7


def test_linkedin_is_asked_in_a_form_where_the_address_would_be_too_long(
    company: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read("linkedin_ads", "campaign_stats", company.connection("linkedin_ads"), WEEK)
    monkeypatch.setattr(rest_client, "LONGEST_QUERY", 200)
    company.handle.control("DELETE", "requests")
    assert read("linkedin_ads", "campaign_stats", company.connection("linkedin_ads"), WEEK) == whole
    asked = [one for one in company.handle.requests() if one["path"] == "/rest/adAnalytics"]
    assert {(one["method"], one["query"], one["status"]) for one in asked} == {("POST", "", 200)}


def test_an_account_that_linkedin_does_not_show_is_refused_and_not_empty(company: Any, slept: list[float]) -> None:
    connection = company.connection("linkedin_ads", account_ids=["599999999"])
    with pytest.raises(errors.Refused, match="role in this ad account"):
        read("linkedin_ads", "campaign_stats", connection, WEEK)
    assert slept == []


def test_linkedin_takes_an_access_token_without_a_refresh_token(company: Any) -> None:
    import httpx

    made = company.connection("linkedin_ads")
    form = {"grant_type": "refresh_token", "client_id": made.login, "client_secret": made.password}
    form["refresh_token"] = made.extra["refresh_token"]
    token = httpx.post(made.extra["token_url"], data=form).json()["access_token"]
    static = company.connection("linkedin_ads", access_token=token, refresh_token="")
    assert read("linkedin_ads", "accounts", static, WEEK) == read("linkedin_ads", "accounts", made, WEEK)
    dead = company.connection("linkedin_ads", access_token="long-since-expired")
    with pytest.raises(errors.DeadToken):
        read("linkedin_ads", "accounts", dead, WEEK)
