"""The sandbox refuses the same requests as GA4, with its messages and status."""

from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox import credentials, process
from tests.sandbox.conftest import Vendors

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


def test_ga4_refuses_a_property_that_is_not_shared_and_an_unknown_version(ask):
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
