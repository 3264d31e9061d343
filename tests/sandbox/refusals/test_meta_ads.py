"""The sandbox refuses the same requests as Meta Ads, with its messages and status."""

import hashlib
import hmac

import pytest

from sandbox import credentials

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


def test_meta_returns_windows_with_the_value_only_on_request(ask_company):
    asked = {"level": "campaign", "time_range": '{"since":"2026-10-01","until":"2026-10-20"}', "fields": "actions"}
    plain = ask_company.meta("act_331122334455661/insights", **asked).json()["data"]
    split = ask_company.meta(
        "act_331122334455661/insights", **asked, action_attribution_windows='["7d_click","1d_view"]'
    ).json()["data"]
    assert set(plain[0]["actions"][0]) == {"action_type", "value"}
    assert set(split[0]["actions"][0]) == {"action_type", "value", "7d_click", "1d_view"}
