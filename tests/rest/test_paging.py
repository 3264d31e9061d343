"""Pages that form a circle, requests that are too much on a later page or time out, and GA4's row (other)."""

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import httpx
import pytest

from funnel.contract import Connection, Window
from funnel.rest import auth, errors, retries
from funnel.rest.accounts import bodies as bodies_of
from funnel.rest.client import connect
from funnel.sources import SOURCES
from tests.rest.test_rest import read
from tests.vendors import Company, Stub

DAYS = Window(date(2026, 11, 1), date(2026, 11, 5))
TOKENS = ["B", "A", "B"]


def next_of(asked: Any) -> str:
    """The next page: first B, then A, then B again."""
    said = asked.text + json.dumps(asked.params) + asked.path
    return "A" if "tokenB" in said else "B"


# Each vendor's page that leads to another: (stream, body).
CIRCLES: dict[str, tuple[str, Callable[[Any], dict[str, Any]]]] = {
    "google_ads": ("campaign_stats", lambda asked: {"results": [], "nextPageToken": f"token{next_of(asked)}"}),
    "meta_ads": (
        "insights",
        lambda asked: {"data": [], "paging": {"next": f"https://graph.invalid/x?after=token{next_of(asked)}"}},
    ),
    "linkedin_ads": (
        "campaigns",
        lambda asked: {"elements": [{"id": 1}], "metadata": {"nextPageToken": f"token{next_of(asked)}"}},
    ),
    "hubspot": ("owners", lambda asked: {"results": [], "paging": {"next": {"after": f"token{next_of(asked)}"}}}),
    "salesforce": (
        "users",
        lambda asked: {
            "totalSize": 9,
            "done": False,
            "records": [],
            "nextRecordsUrl": f"/services/data/v68.0/query/token{next_of(asked)}",
        },
    ),
    "shopify": (
        "orders",
        lambda asked: {
            "data": {
                "orders": {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": f"token{next_of(asked)}"}},
            }
        },
    ),
}


@pytest.mark.parametrize("source", CIRCLES)
def test_a_page_that_was_read_before_ends_the_read(
    vendor: Stub, slept: list[float], outcome: Callable[..., None], source: str
) -> None:
    stream, body = CIRCLES[source]

    def answer(asked: Any) -> Any:
        if ("token" in asked.path.rpartition("/")[2] and "query" not in asked.path) or "oauth" in asked.path:
            login = {
                "access_token": "t",
                "expires_in": 3600,
                "instance_url": vendor.base_url,
                "scope": "read_all_orders",
            }
            return vendor.reply(login)
        assert len(vendor.asked) < 30, "it goes round and round"
        return vendor.reply(body(asked))

    vendor.answer = answer
    with pytest.raises(errors.Unavailable, match=r"the next page .*token[AB]' was read before: they go in a circle"):
        read(source, stream, vendor.connection(shop="x"), DAYS)
    outcome("07 pages in a circle", source, "ends with an error that names the page token")


def test_associations_in_a_circle_end_the_read(vendor: Stub, slept: list[float]) -> None:
    from funnel.sources.hubspot import fetch

    result = {"from": {"id": "1"}, "to": [], "paging": {"next": {"after": "tokenA"}}}
    vendor.answer = lambda asked: vendor.reply({"results": [result]})
    stream = SOURCES["hubspot"].stream("deals")
    with connect(fetch.DIALECT, vendor.connection()) as client:
        client._token = auth.Token("x")
        with pytest.raises(errors.Unavailable, match="'tokenA' of record 1 was read before"):
            fetch._associations(client, stream, "contacts", ["1"])


TOO_MUCH = {"error": {"message": "Please reduce the amount of data you're asking for", "code": 1}}


def insights(day: str, campaign: int) -> dict[str, str]:
    return {
        "date_start": day,
        "account_id": "1",
        "account_currency": "EUR",
        "campaign_id": str(campaign),
        "spend": "1",
    }


def serve_insights(vendor: Stub, fails: Callable[[Any, int], Any]) -> None:
    """Two pages of two campaigns for any window; `fails` may answer instead, from the window's days and the page."""

    def answer(asked: Any) -> Any:
        span = json.loads(asked.params["time_range"])
        days = (
            Window(date.fromisoformat(span["since"]), date.fromisoformat(span["until"])).days
            if (span["since"] < span["until"])
            else ()
        )
        days = [*days, date.fromisoformat(span["until"])]
        page = 2 if "after" in asked.params else 1
        if failed := fails(days, page):
            return failed
        rows = [insights(day.isoformat(), page) for day in days]
        paging = {} if page == 2 else {"next": "https://graph.invalid/x?after=2"}
        return vendor.reply({"data": rows, "paging": paging})

    vendor.answer = answer


def keys(bodies: list[bytes]) -> list[tuple[str, str]]:
    return sorted((row["date_start"], row["campaign_id"]) for body in bodies for row in json.loads(body)["data"])


EVERY_ROW = [(day.isoformat(), campaign) for day in DAYS.days for campaign in ("1", "2")]


def test_too_much_on_a_later_page_halves_the_window_and_delivers_no_row_twice(
    vendor: Stub, slept: list[float], outcome: Callable[..., None]
) -> None:
    serve_insights(
        vendor, lambda days, page: vendor.reply(TOO_MUCH, status=500) if page == 2 and len(days) > 1 else None
    )
    assert keys(read("meta_ads", "insights", vendor.connection(), DAYS)) == EVERY_ROW
    outcome("too much on a later page", "meta_ads", "halves the window, no row twice")


def test_a_question_that_times_out_again_and_again_halves_the_window(
    vendor: Stub, slept: list[float], monkeypatch: pytest.MonkeyPatch, outcome: Callable[..., None]
) -> None:
    """Heavy reports: Meta and Google never answer for four days at once, but do for two."""
    tried = []

    def fail(days: list[date], page: int) -> Any:
        if len(days) > 2 and page == 2:
            tried.append(days)
            raise httpx.ReadTimeout("no answer")
        return None

    serve_insights(vendor, lambda days, page: None)
    answer = vendor.answer

    def stream(client: httpx.Client, method: str, url: str, **asked: Any) -> Any:
        span = json.loads((asked.get("params") or {}).get("time_range", '{"since": "", "until": ""}'))
        if span["since"]:
            days = (date.fromisoformat(span["until"]) - date.fromisoformat(span["since"])).days + 1
            fail([date.min] * days, 2 if "after" in asked["params"] else 1)
        return plain(client, method, url, **asked)

    plain = httpx.Client.stream
    monkeypatch.setattr(httpx.Client, "stream", stream)
    vendor.answer = answer
    assert keys(read("meta_ads", "insights", vendor.connection(), DAYS)) == EVERY_ROW
    assert len(tried) == retries.TIMEOUTS
    outcome("repeated timeouts", "meta_ads", "halves the window, no row twice")


def test_the_row_other_keeps_its_day(outcome: Callable[..., None]) -> None:
    """Google writes (other) into every dimension of rows that it has combined."""
    source = SOURCES["ga4"]
    stream = source.stream("sessions")
    other = {"dimensionValues": [{"value": "(other)"}] * 7, "metricValues": [{"value": "5"}] * 4}
    plain = {"dimensionValues": [{"value": "20261101"}, *[{"value": "x"}] * 6], "metricValues": [{"value": "5"}] * 4}
    report = {
        "dimensionHeaders": [{"name": column} for column in ("date", "sessionDefaultChannelGroup", "sessionSource",
                             "sessionMedium", "sessionCampaignId", "sessionCampaignName", "countryId")],
        "metricHeaders": [{"name": name} for name in ("sessions", "engagedSessions", "totalUsers", "keyEvents")],
        "property": "1",
    }  # fmt: skip
    asked = json.dumps({**report, "day": "2026-11-03", "rows": [other]}).encode()
    assert [row["date"] for row in source.records(stream, asked)] == ["2026-11-03"]
    # A body landed before days were added to bodies has the day of its other rows.
    landed = json.dumps({**report, "rows": [other, plain]}).encode()
    assert [row["date"] for row in source.records(stream, landed)] == ["2026-11-01", "2026-11-01"]
    outcome("GA4's row (other)", "ga4", "keeps its day")


def test_a_day_is_written_into_a_report_of_ga4(company: Any) -> None:
    window = Window(date(2026, 11, 9), date(2026, 11, 10))
    stream = SOURCES["ga4"].stream("sessions")
    bodies = list(bodies_of(SOURCES["ga4"].fetch(company.connection("ga4"), stream, window)))
    assert {json.loads(body)["day"] for body in bodies} == {"2026-11-09"}


@pytest.mark.parametrize(
    ("source", "stream", "is_heavy"),
    [
        ("microsoft_ads", "campaign_stats", lambda asked: days_of_report(asked) > 2),
        ("ga4", "sessions", lambda asked: int(asked.get("limit", 0)) > 100),
    ],
)
def test_a_report_that_times_out_is_asked_for_in_halves(
    company: Company,
    slept: list[float],
    monkeypatch: pytest.MonkeyPatch,
    outcome: Callable[..., None],
    source: str,
    stream: str,
    is_heavy: Callable[[dict[str, Any]], bool],
) -> None:
    """Microsoft's by days; GA4's, which are already of one day, by rows of a page."""
    connection = company.connection(source)
    whole = rows_of(source, stream, connection)
    tried = []
    plain = httpx.Client.stream

    def ask(client: httpx.Client, method: str, url: str, **asked: Any) -> Any:
        body = json.loads(asked.get("content") or b"{}") if asked.get("json") is None else asked["json"]
        if is_heavy(body):
            tried.append(body)
            raise httpx.ReadTimeout("no answer")
        return plain(client, method, url, **asked)

    monkeypatch.setattr(httpx.Client, "stream", ask)
    assert rows_of(source, stream, connection) == whole
    assert len(whole) > 30
    assert len(tried) >= retries.TIMEOUTS
    outcome("repeated timeouts", source, "asks for halves, no row twice")


def days_of_report(asked: dict[str, Any]) -> int:
    span = asked.get("ReportRequest", {}).get("Time")
    if not span:
        return 0
    first, last = (
        date(span[name]["Year"], span[name]["Month"], span[name]["Day"])
        for name in ("CustomDateRangeStart", "CustomDateRangeEnd")
    )
    return (last - first).days + 1


def rows_of(source: str, stream: str, connection: Connection) -> list[str]:
    declared = SOURCES[source]
    fetched = bodies_of(declared.fetch(connection, declared.stream(stream), DAYS))
    return sorted(
        json.dumps(row, sort_keys=True) for body in fetched for row in declared.records(declared.stream(stream), body)
    )
