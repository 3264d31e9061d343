"""LinkedIn Ads: campaign statistics per day, campaign attributes and ad accounts, over the versioned REST interface.

Days are UTC, as LinkedIn aggregates them. Statistics name only the campaign: the requested account is added to the
body, its currency is joined in dbt.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from funnel.contract import Column, Connection, Fetched, Money, Source, Stream, Window
from funnel.rest import auth, bodies, diagnosis, errors, messages
from funnel.rest.accounts import listed, read_each
from funnel.rest.client import Client, Dialect, connect
from funnel.rest.pages import by_cursor, in_windows, one_page, read_halving, read_pages, read_splitting

# Monthly versions live for twelve months; LinkedIn has no default version, and a sunset one answers 426.
DEFAULT_VERSION = "202607"
DEFAULT_TOKEN_URL = "https://www.linkedin.com/oauth/v2/accessToken"  # noqa: S105 - an address
DEFAULT_PAGE_SIZE = 500
# adAnalytics has no pages and silently cuts longer answers (third parties, 2026-11; VEN-15): a setting.
MAX_ELEMENTS = 15_000
# Statuses that are not named are left out: without removed campaigns their spend would lose account and name.
STATUSES = ("ACTIVE", "PAUSED", "ARCHIVED", "COMPLETED", "CANCELED", "DRAFT", "PENDING_DELETION", "REMOVED")

STREAMS = (
    Stream(
        name="campaign_stats",
        kind="dated",
        key=("campaign_id", "date"),
        day="date",
        account="account_id",
        empty_is_doubtful=True,
        columns=(
            Column("date", "date", "date", required=True),
            Column("account_id", "text", "account_id"),
            Column("campaign_id", "text", "campaign_id", required=True),
            Column("impressions", "bigint", "impressions"),
            Column("clicks", "bigint", "clicks"),
            Column("cost_in_local_currency", "numeric", "costInLocalCurrency", required=True),
            Column("external_website_conversions", "bigint", "externalWebsiteConversions"),
            Column("one_click_leads", "bigint", "oneClickLeads"),
            Column("conversion_value_in_local_currency", "numeric", "conversionValueInLocalCurrency"),
        ),
        ignored=("dateRange", "pivotValues"),
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
            Column("status", "text", "status"),
            Column("campaign_type", "text", "type"),
            Column("objective", "text", "objectiveType"),
        ),
        ignored=("account",),
    ),
    Stream(
        name="accounts",
        kind="changed",
        key=("account_id",),
        account="account_id",
        columns=(
            Column("account_id", "text", "id", required=True),
            Column("account_name", "text", "name"),
            Column("currency_code", "text", "currency"),
            Column("status", "text", "status"),
        ),
        # The currency of all spend of the account: the statistics name none.
        money=Money("currency_code"),
    ),
)
_METRICS = ",".join(
    column.path for column in STREAMS[0].columns if column.path not in ("date", "account_id", "campaign_id")
)


def fetch(connection: Connection, stream: Stream, window: Window) -> Iterator[Fetched]:
    """Each ad account of the connection in turn. Campaigns and accounts have no time filter and are read whole."""
    accounts = listed("linkedin_ads", connection, "account_ids", lambda account: account.rpartition(":")[2])
    with connect(DIALECT, connection) as client:

        def read(account_id: str) -> Iterator[bytes]:
            if stream.name == "accounts":
                request = messages.Request(
                    "GET", f"/rest/adAccounts/{account_id}", query="fields=id,name,currency,status"
                )
                pages = read_pages(client, request, one_page)
            elif stream.name == "campaigns":
                pages = _campaigns(client, account_id, "id,name,account,status,type,objectiveType")
            else:
                pages = _statistics(client, account_id, window)
            for page in pages:
                is_named = stream.name != "campaign_stats"
                yield page.body if is_named else messages.with_fields(page.body, account=account_id)

        yield from read_each(accounts, read)


def records(stream: Stream, body: bytes) -> Iterator[Any]:
    """The records of one answer; plain ids and dates are added to LinkedIn's URNs and date parts."""
    parsed = bodies.read_json(body)
    if stream.name == "accounts":
        yield parsed
        return
    for element in bodies.listed(parsed, "elements"):
        if not isinstance(element, dict):
            yield element
        elif stream.name == "campaigns":
            yield {**element, "account_id": _id_of(element.get("account"))}
        else:
            pivots = element.get("pivotValues")
            urn = pivots[0] if isinstance(pivots, list) and pivots else None
            yield {
                **element,
                "account_id": parsed.get("account"),
                "campaign_id": _id_of(urn),
                "date": _date_of(element.get("dateRange")),
            }


def _campaigns(client: Client, account_id: str, fields: str) -> Iterator[messages.Page]:
    request = messages.Request(
        "GET",
        f"/rest/adAccounts/{account_id}/adCampaigns",
        expects="elements",
        query=f"q=search&search=(status:(values:List({','.join(STATUSES)})))&fields={fields}",
        params={"pageSize": int(client.connection.extra.get("page_size", DEFAULT_PAGE_SIZE))},
    )
    # The end is a missing token, never an empty page.
    return read_pages(client, request, by_cursor("metadata.nextPageToken", "pageToken"))


def _statistics(client: Client, account_id: str, window: Window) -> Iterator[messages.Page]:
    """The bodies of statistics, in windows so short that every campaign on every day would fit.

    If a window is full nevertheless, its halves are read; a full day is requested for some of the campaigns at a time.

    The list of campaigns also proves access: without it LinkedIn answers statistics with an empty list.
    """
    campaigns = [
        str(campaign_id)
        for page in _campaigns(client, account_id, "id")
        for element in page.parsed["elements"]
        if isinstance(campaign_id := messages.value_at(element, "id"), (int, str))
    ]
    most = int(client.connection.extra.get("max_elements", MAX_ELEMENTS))

    def read(part: Window, facet: str = _urns("accounts", "sponsoredAccount", [account_id])) -> Iterator[messages.Page]:
        first, last = part.from_day, part.days[-1]
        request = messages.Request(
            "GET",
            "/rest/adAnalytics",
            expects="elements",
            full_at=most,
            query=(
                "q=analytics&pivot=CAMPAIGN&timeGranularity=DAILY"
                f"&dateRange=(start:(year:{first.year},month:{first.month},day:{first.day}),"
                f"end:(year:{last.year},month:{last.month},day:{last.day}))"
                f"&{facet}&fields=dateRange,pivotValues,{_METRICS}"
            ),
        )
        return read_pages(client, request, one_page)

    def read_day(part: Window) -> Iterator[messages.Page]:
        return read_splitting(campaigns, lambda some: read(part, _urns("campaigns", "sponsoredCampaign", some)))

    for part in in_windows(window, max(1, (most - 1) // max(1, len(campaigns)))):
        yield from read_halving(part, read, read_day if campaigns else None)


def _urns(facet: str, kind: str, ids: list[str]) -> str:
    # Rest.li 2.0: brackets and commas are not encoded, colons inside a value are.
    return f"{facet}=List({','.join(quote(f'urn:li:{kind}:{one}', safe='') for one in ids)})"


def _id_of(urn: Any) -> str | None:
    return urn.rpartition(":")[2] if isinstance(urn, str) else None


def _date_of(span: Any) -> str | None:
    start = messages.value_at(span, "start")
    if not isinstance(start, dict) or not all(isinstance(start.get(part), int) for part in ("year", "month", "day")):
        return None
    return f"{start['year']:04d}-{start['month']:02d}-{start['day']:02d}"


def _sign(connection: Connection, token: str, request: messages.Request) -> messages.Request:
    headers = {
        **request.headers,
        "Authorization": f"Bearer {token}",
        "LinkedIn-Version": str(connection.extra.get("version", DEFAULT_VERSION)),
        "X-Restli-Protocol-Version": "2.0.0",
    }
    return replace(request, headers=headers)


def _log_in(client: Client) -> auth.Token:
    connection = client.connection
    # Only approved partners get refresh tokens; other apps get an access token for sixty days.
    if connection.extra.get("access_token"):
        return auth.Token(connection.extra["access_token"], is_fetched=False)
    answer = client.ask_for_token(
        messages.Request(
            "POST",
            connection.extra.get("token_url", DEFAULT_TOKEN_URL),
            form={
                "grant_type": "refresh_token",
                "refresh_token": client.refresh_token,
                "client_id": connection.login or "",
                "client_secret": connection.password or "",
            },
        )
    )
    return auth.token_of(answer)


# The limit "45 million metric values in a 5-minute window": after five minutes the window is empty.
_WINDOW_SECONDS = 300.0


def _diagnose(answer: messages.Answer) -> messages.Diagnosis | None:
    body = answer.parsed
    if not isinstance(body, dict):
        return None
    if isinstance(body.get("error"), str):
        # Refresh tokens live for a year, and end when the member changes the password or loses the role.
        return auth.oauth_refusal(
            answer, body["error"], str(body.get("error_description", "")), dead=("invalid_grant", "invalid_request")
        )
    if not isinstance(body.get("status"), int) or "message" not in body:
        return None
    status, message = body["status"], f"{body.get('code', body['status'])}: {body['message']}"
    if status == 429:
        return _diagnose_throttle(message)
    if status == 401:
        # A token that a person revoked cannot be renewed; any other may be.
        return messages.Diagnosis(errors.DeadToken if "REVOKED" in message else errors.TokenExpired, message)
    if status in (403, 404):
        advice = (
            "Give the member of the token a role in this ad account, and the app the scopes r_ads, r_ads_reporting; or "
            "take the account out of account_ids: its days stay."
        )
        return messages.Diagnosis(errors.AccountDenied, message, advice=advice)
    if status == 426 or "VERSION" in message:
        advice = f'Set a live version in the connection\'s extra, for example {{"version": "{DEFAULT_VERSION}"}}.'
        return messages.Diagnosis(errors.Refused, message, advice=advice)
    if status >= 500 or status == 408:
        return messages.Diagnosis(errors.Unavailable, message)
    return messages.Diagnosis(errors.LongUrl if status == 414 else errors.Refused, message)


def _diagnose_throttle(message: str) -> messages.Diagnosis:
    """The diagnosis without a Retry-After: daily limits of an application and of a member are reset at midnight UTC."""
    if "metric value" in message.lower() or "metric-value" in message.lower():
        return messages.Diagnosis(errors.Throttled, message, wait_seconds=_WINDOW_SECONDS)
    if "DAY" in message:
        return messages.Diagnosis(errors.QuotaExhausted, message, wait_seconds=diagnosis.seconds_to_midnight())
    return messages.Diagnosis(errors.Throttled, message)


DIALECT = Dialect("linkedin_ads", sign=_sign, diagnose=_diagnose, login=_log_in)

SOURCE = Source(
    name="linkedin_ads",
    streams=STREAMS,
    # Conversions are credited to clicks up to 30 and views up to 7 days back by default. Rules of 90 days and more
    # exist: a monthly backfill reads those.
    restatement_days=30,
    fetch=fetch,
    records=records,
)
