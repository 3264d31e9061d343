"""The sandbox refuses the same requests as Google Ads, with its messages and status."""

import pytest

from sandbox import credentials

CUSTOMER = "1000000001"
DAYS = "segments.date BETWEEN '2026-01-01' AND '2026-01-31'"


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
