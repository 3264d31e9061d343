"""Google Ads: campaign statistics per day and campaign attributes, over the REST interface.

Days are days of the ad account's own time zone, as Google aggregates them; nothing here converts them.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from funnel.contract import Column, Connection, Fetched, Money, Source, Stream, Window
from funnel.rest import auth, bodies, diagnosis, errors, messages
from funnel.rest.accounts import listed, read_each
from funnel.rest.client import Client, Dialect, connect
from funnel.rest.pages import by_token_in_body, read_halving, read_pages

DEFAULT_VERSION = "v26"  # v23 to v26 were available in November 2026
DEFAULT_TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address

STREAMS = (
    Stream(
        name="campaign_stats",
        kind="dated",
        key=("customer_id", "campaign_id", "date"),
        day="date",
        account="customer_id",
        columns=(
            Column("date", "date", "segments.date", required=True),
            Column("customer_id", "text", "customer.id", required=True),
            Column("currency_code", "text", "customer.currencyCode"),
            Column("campaign_id", "text", "campaign.id", required=True),
            Column("impressions", "bigint", "metrics.impressions"),
            Column("clicks", "bigint", "metrics.clicks"),
            Column("cost_micros", "bigint", "metrics.costMicros", required=True),
            Column("conversions", "numeric", "metrics.conversions"),
            Column("conversions_value", "numeric", "metrics.conversionsValue"),
        ),
        ignored=("customer.resourceName", "campaign.resourceName"),
        money=Money("currency_code", ("cost_micros", "conversions_value")),
    ),
    Stream(
        name="campaigns",
        kind="changed",
        key=("customer_id", "campaign_id"),
        keep_versions=True,
        account="customer_id",
        columns=(
            Column("customer_id", "text", "customer.id", required=True),
            Column("time_zone", "text", "customer.timeZone"),
            Column("campaign_id", "text", "campaign.id", required=True),
            Column("campaign_name", "text", "campaign.name"),
            Column("status", "text", "campaign.status"),
            Column("advertising_channel_type", "text", "campaign.advertisingChannelType"),
        ),
        ignored=("customer.resourceName", "campaign.resourceName"),
    ),
)


def fetch(connection: Connection, stream: Stream, window: Window) -> Iterator[Fetched]:
    """Each ad account of the connection in turn. Campaigns have no time filter and are read whole."""
    version = connection.extra.get("version", DEFAULT_VERSION)
    accounts = listed("google_ads", connection, "customer_ids", _digits)
    with connect(DIALECT, connection) as client:

        def read(customer_id: str) -> Iterator[bytes]:
            path = f"/{version}/customers/{customer_id}/googleAds:search"

            def pages(part: Window) -> Iterator[messages.Page]:
                # Pages hold 10,000 rows; a page size is refused since v17.
                request = messages.Request("POST", path, json={"query": _query(stream, part)}, lacks=_lacks)
                return read_pages(client, request, by_token_in_body("nextPageToken", "pageToken"))

            for page in read_halving(window, pages) if stream.kind == "dated" else pages(window):
                yield page.body

        yield from read_each(accounts, read)


def _digits(customer_id: str) -> str:
    """The customer id without the dashes of 123-456-7890, as Google's pages show it."""
    return customer_id.removeprefix("customers/").replace("-", "").replace(" ", "")


def records(stream: Stream, body: bytes) -> Iterator[Any]:
    """The rows of one page. Google leaves out rows that are zero in every metric."""
    yield from bodies.listed(bodies.read_json(body), "results", may_be_absent=True)


def _lacks(request: messages.Request, parsed: Any) -> str | None:
    """What a page lacks: one without rows has no `results`; any other value there is not a valid answer."""
    is_page = isinstance(parsed, dict) and isinstance(parsed.get("results", []), list)
    return None if is_page else "without the list 'results'"


def _query(stream: Stream, window: Window) -> str:
    fields = ", ".join(_gaql_name(column.path) for column in stream.columns)
    query = f"SELECT {fields} FROM campaign"  # noqa: S608 - GAQL of declared names
    if stream.kind == "dated":
        last_day = window.days[-1]
        query += f" WHERE segments.date BETWEEN '{window.from_day}' AND '{last_day}'"
    return query


def _gaql_name(path: str) -> str:
    return re.sub(r"[A-Z]", lambda capital: "_" + capital.group().lower(), path)


def _sign(connection: Connection, token: str, request: messages.Request) -> messages.Request:
    headers = {**request.headers, "Authorization": f"Bearer {token}"}
    # Only access through a manager account needs it; a wrong one is refused.
    manager = connection.extra.get("login_customer_id")
    if manager:
        headers["login-customer-id"] = str(manager).replace("-", "")
    return replace(request, headers=headers)


def _log_in(client: Client) -> auth.Token:
    connection = client.connection
    answer = client.ask_for_token(
        messages.Request(
            "POST",
            connection.extra.get("token_url", DEFAULT_TOKEN_URL),
            form={
                "grant_type": "refresh_token",
                "client_id": connection.login or "",
                "client_secret": connection.password or "",
                "refresh_token": client.refresh_token,
            },
        )
    )
    return auth.token_of(answer)


# Token errors that a new token does not resolve.
_DEAD = {
    "OAUTH_TOKEN_REVOKED",
    "OAUTH_TOKEN_DISABLED",
    "NOT_ADS_USER",
    "GOOGLE_ACCOUNT_DELETED",
    "TWO_STEP_VERIFICATION_NOT_ENROLLED",
    "ADVANCED_PROTECTION_NOT_ENROLLED",
}
# Errors of a single account. Google reports them among authorization and authentication errors.
_ONE_ACCOUNT = {
    "CUSTOMER_NOT_ENABLED",
    "CUSTOMER_NOT_FOUND",
    "USER_PERMISSION_DENIED",
    "INVALID_LOGIN_CUSTOMER_ID_SERVING_CUSTOMER_ID_COMBINATION",
    "ACTION_NOT_PERMITTED_FOR_SUSPENDED_ACCOUNT",
    "ACCESS_DENIED_FOR_ACCOUNT_TYPE",
    "INCOMPLETE_SIGNUP",
    "CLIENT_CUSTOMER_ID_INVALID",
    "INVALID_CUSTOMER_ID",
    "REQUESTED_METRICS_FOR_MANAGER",
}
_ADVICE = {
    "CUSTOMER_NOT_ENABLED": (
        "Take this account out of customer_ids if it is closed for good: its days stay. Else reactivate it at Google."
    ),
    "REQUESTED_METRICS_FOR_MANAGER": (
        "Write the ad accounts below this manager account into customer_ids, and the manager into login_customer_id."
    ),
    "CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION": (
        "Apply for Basic access for the Cloud project of the OAuth client: since 2026-09-09 the access level belongs "
        "to the project, not to a developer token."
    ),
    "REQUESTED_DATE_GRANULARITY_NOT_SUPPORTED": (
        "Ask for days of the last 37 months only: Google keeps daily figures no longer (since 2026-06-01)."
    ),
    "UNSUPPORTED_VERSION": 'Set a live version in the connection\'s extra, for example {"version": "v26"}.',
    "USER_PERMISSION_DENIED": (
        "Give the user of the refresh token access to this account, or set login_customer_id to its manager account."
    ),
}


def _diagnose(answer: messages.Answer) -> messages.Diagnosis | None:
    # searchStream wraps its errors in an array, search does not.
    body = answer.parsed[0] if isinstance(answer.parsed, list) and answer.parsed else answer.parsed
    if not isinstance(body, dict) or "error" not in body:
        return None
    error = body["error"]
    if isinstance(error, str):
        # Also the error of a refresh token of an OAuth app "in testing", seven days after its creation: invalid_grant.
        return auth.oauth_refusal(answer, error, str(body.get("error_description", "")))
    for detail in error.get("details") or ():
        for failure in detail.get("errors") or ():
            return _diagnose_failure(answer, error, failure)
    message = str(error.get("message", "no message"))
    if error.get("code") == 401 or answer.status == 401:
        return messages.Diagnosis(errors.TokenExpired, message)
    if error.get("code") == 429 or answer.status == 429:
        return messages.Diagnosis(errors.Throttled, message, wait_seconds=diagnosis.retry_after(answer))
    if error.get("code") in (500, 502, 503, 504) or answer.status < 300 or answer.status >= 500:
        return messages.Diagnosis(errors.Unavailable, message)
    return messages.Diagnosis(errors.Refused, message)


def _diagnose_failure(answer: messages.Answer, error: dict[str, Any], failure: dict[str, Any]) -> messages.Diagnosis:
    family, code = next(iter((failure.get("errorCode") or {"unknown": "UNKNOWN"}).items()))
    message = f"{code}: {failure.get('message') or error.get('message')}"
    if family == "quotaError":
        delay = messages.value_at(failure, "details.quotaErrorDetails.retryDelay")
        # Longer waits are hours: the task frees its slot instead of waiting.
        wait = float(str(delay).rstrip("s")) if delay else diagnosis.retry_after(answer)
        if code == "ACCESS_PROHIBITED":
            return messages.Diagnosis(errors.Refused, message)
        return messages.Diagnosis(errors.Throttled, message, wait_seconds=wait)
    if code in _ONE_ACCOUNT:
        return messages.Diagnosis(errors.AccountDenied, message, advice=_ADVICE.get(code))
    if family == "authenticationError":
        renewable = code in ("OAUTH_TOKEN_EXPIRED", "OAUTH_TOKEN_INVALID", "AUTHENTICATION_ERROR")
        if renewable:
            return messages.Diagnosis(errors.TokenExpired, message)
        return messages.Diagnosis(
            errors.DeadToken if code in _DEAD else errors.Refused, message, advice=_ADVICE.get(code)
        )
    if code in ("INVALID_PAGE_TOKEN", "EXPIRED_PAGE_TOKEN"):
        return messages.Diagnosis(errors.RestartWindow, message)
    if family in ("internalError", "databaseError") or answer.status >= 500:
        return messages.Diagnosis(errors.Unavailable, message)
    return messages.Diagnosis(errors.Refused, message, advice=_ADVICE.get(code))


DIALECT = Dialect("google_ads", sign=_sign, diagnose=_diagnose, login=_log_in)

SOURCE = Source(
    name="google_ads",
    streams=STREAMS,
    # Conversions are credited to the day of the click, up to 30 days back by default (1 to 90, a setting of each
    # conversion action). Adjustments can come 145 days later: a run reads that far back if such changes were seen.
    restatement_days=30,
    longest_restatement_days=145,
    fetch=fetch,
    records=records,
    envelope="results",
)
