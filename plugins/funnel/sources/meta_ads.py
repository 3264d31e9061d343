"""Meta Ads: campaign insights per day, campaign attributes and ad accounts, over the Graph API.

Days are days of the ad account's own time zone, as Meta aggregates them; nothing here converts them.
"""

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson

from funnel.contract import Column, Connection, Fetched, Money, Source, Stream, Window
from funnel.rest import bodies, errors, messages
from funnel.rest.accounts import listed, read_each
from funnel.rest.client import Client, Dialect, connect
from funnel.rest.pages import by_query_of_link, one_page, read_halving, read_pages

DEFAULT_VERSION = "v26.0"
DEFAULT_PAGE_SIZE = 500
# 7d_view and 28d_view were removed on 2026-01-12.
DEFAULT_ATTRIBUTION_WINDOWS = ("7d_click", "1d_view")
# Left out unless named: a deleted campaign must not remove its spend from the last 28 days.
STATUSES = ("ACTIVE", "PAUSED", "DELETED", "ARCHIVED", "IN_PROCESS", "WITH_ISSUES")

STREAMS = (
    Stream(
        name="insights",
        kind="dated",
        key=("account_id", "campaign_id", "date_start"),
        day="date_start",
        account="account_id",
        columns=(
            Column("date_start", "date", "date_start", required=True),
            Column("account_id", "text", "account_id", required=True),
            Column("account_currency", "text", "account_currency"),
            Column("campaign_id", "text", "campaign_id", required=True),
            Column("impressions", "bigint", "impressions"),
            Column("clicks", "bigint", "clicks"),
            Column("spend", "numeric", "spend", required=True),
            Column("actions", "jsonb", "actions", costs_row=True, holds=(), counted_by="value"),
            Column("action_values", "jsonb", "action_values", costs_row=True, holds=(), counted_by="value"),
        ),
        ignored=("date_stop",),
        money=Money("account_currency", ("spend",)),
    ),
    Stream(
        name="campaigns",
        kind="changed",
        key=("account_id", "campaign_id"),
        keep_versions=True,
        account="account_id",
        columns=(
            Column("account_id", "text", "account_id", required=True),
            Column("campaign_id", "text", "id", required=True),
            Column("campaign_name", "text", "name"),
            Column("status", "text", "effective_status"),
            Column("objective", "text", "objective"),
        ),
    ),
    Stream(
        name="accounts",
        kind="changed",
        key=("account_id",),
        account="account_id",
        columns=(
            Column("account_id", "text", "account_id", required=True),
            Column("account_name", "text", "name"),
            Column("currency_code", "text", "currency"),
            Column("time_zone", "text", "timezone_name"),
        ),
        ignored=("id",),
    ),
)


def fetch(connection: Connection, stream: Stream, window: Window) -> Iterator[Fetched]:
    """Each ad account of the connection in turn. Campaigns and accounts have no time filter and are read whole."""
    accounts = listed("meta_ads", connection, "account_ids", lambda account: account.removeprefix("act_"))
    with connect(DIALECT, connection) as client:
        yield from read_each(
            accounts, lambda account_id: (page.body for page in _pages(client, account_id, stream, window))
        )


def records(stream: Stream, body: bytes) -> Iterator[Any]:
    """The records of one page; an ad account is a body of its own."""
    parsed = bodies.read_json(body)
    if stream.name == "accounts":
        yield parsed
    else:
        yield from bodies.listed(parsed, "data")


def _pages(client: Client, account_id: str, stream: Stream, window: Window) -> Iterator[messages.Page]:
    extra = client.connection.extra
    account = f"/{extra.get('version', DEFAULT_VERSION)}/act_{account_id}"
    # The days of a row are returned without being requested.
    fields = ",".join(column.path for column in stream.columns if column.path != "date_start")
    page_size = int(extra.get("page_size", DEFAULT_PAGE_SIZE))
    if stream.name == "accounts":
        return read_pages(client, messages.Request("GET", account, params={"fields": fields}), one_page)
    if stream.name == "campaigns":
        request = messages.Request(
            "GET",
            f"{account}/campaigns",
            expects="data",
            params={"fields": fields, "limit": page_size, "effective_status": _json(STATUSES)},
        )
        return read_pages(client, request, _NEXT, page_size_parameter="limit")

    def read(part: Window) -> Iterator[messages.Page]:
        request = messages.Request(
            "GET",
            f"{account}/insights",
            expects="data",
            params={
                "level": "campaign",
                "time_increment": 1,
                "time_range": _json({"since": str(part.from_day), "until": str(part.days[-1])}),
                "fields": fields,
                "limit": page_size,
                "action_attribution_windows": _json(
                    extra.get("action_attribution_windows", DEFAULT_ATTRIBUTION_WINDOWS)
                ),
                "filtering": _json([{"field": "campaign.effective_status", "operator": "IN", "value": list(STATUSES)}]),
            },
        )
        return read_pages(client, request, _NEXT, page_size_parameter="limit", may_shrink_first=len(part.days) == 1)

    return read_halving(window, read)


# The end is a missing `paging.next`; `cursors.after` stays, and an empty page may come before the last one.
_NEXT = by_query_of_link("paging.next", ("after",))


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _sign(connection: Connection, token: str, request: messages.Request) -> messages.Request:
    params = {**request.params, "access_token": token}
    secret = connection.extra.get("app_secret")
    if secret:
        params["appsecret_proof"] = hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest()
    return replace(request, params=params)


# Throttles come as HTTP 400: application 4, user 17, page 32, custom 613, business use cases 80000 to 80014.
_THROTTLES = {4, 17, 32, 613, *range(80000, 80015)}
# Too much data 1487534; timeouts 1504018 and 1504038, which an unchanged request repeats.
_TOO_MUCH = {1487534, 1504018, 1504038}


def _diagnose(answer: messages.Answer) -> messages.Diagnosis | None:
    error = answer.parsed.get("error") if isinstance(answer.parsed, dict) else None
    if not isinstance(error, dict):
        return None
    code, subcode = error.get("code"), error.get("error_subcode")
    message = str(error.get("message", "no message"))
    named = f"code {code}" + (f"/{subcode}" if subcode else "") + f": {message}"
    if code in (190, 102):
        return messages.Diagnosis(errors.DeadToken, named)
    if subcode in _TOO_MUCH or "reduce the amount of data" in message:
        return messages.Diagnosis(errors.TooMuchData, named)
    if code in _THROTTLES:
        return messages.Diagnosis(errors.Throttled, named, wait_seconds=_wait(answer))
    if code in (1, 2) or error.get("is_transient") or answer.status >= 500:
        return messages.Diagnosis(errors.Unavailable, named)
    is_unknown = subcode == 33 or code == 803 or message.startswith("Unsupported get request")
    if is_unknown or code == 10 or (isinstance(code, int) and 200 <= code < 300) or "permission" in message.lower():
        return messages.Diagnosis(
            errors.AccountDenied,
            named,
            advice=(
                "Give the system user ads_read and access to this ad account in Business settings, or take the account "
                "out of account_ids: its days stay."
            ),
        )
    if code == 2635 or "version" in message.lower():
        return messages.Diagnosis(
            errors.Refused,
            named,
            advice='Set a live version in the connection\'s extra, for example {"version": "v26.0"}.',
        )
    advice = "Ask for days of the last 37 months only: Meta keeps no more." if code == 3018 else None
    return messages.Diagnosis(errors.Refused, named, advice=advice)


def _wait(answer: messages.Answer) -> float:
    """Seconds until Meta answers again, by its usage headers; one minute without them."""
    waits = [0.0]
    by_business = _header(answer, "x-business-use-case-usage")
    for uses in by_business.values():
        for use in uses if isinstance(uses, list) else ():
            waits.append(60.0 * float(use.get("estimated_time_to_regain_access") or 0))
    by_account = _header(answer, "x-ad-account-usage")
    if float(by_account.get("acc_id_util_pct") or 0) >= 100:
        waits.append(float(by_account.get("reset_time_duration") or 0))
    return max(waits) or 60.0


def _header(answer: messages.Answer, name: str) -> dict[str, Any]:
    try:
        parsed = orjson.loads(answer.headers.get(name, "{}"))
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


DIALECT = Dialect("meta_ads", sign=_sign, diagnose=_diagnose)

SOURCE = Source(
    name="meta_ads",
    streams=STREAMS,
    # Meta rewrites 28 days: conversions come late, invalid clicks are removed.
    restatement_days=28,
    fetch=fetch,
    records=records,
    envelope="data",
)
