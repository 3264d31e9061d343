"""Microsoft Ads: campaign statistics per day and campaign attributes, from reports over the REST interface.

A report is submitted, polled until it is ready and fetched as a ZIP file with one CSV, which is landed unchanged. Days
are UTC according to Microsoft's documentation of 2026-08; the zone stated in the report is kept with every row
(VEN-11).
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

from funnel.contract import Column, Connection, Fetched, Money, Source, Stream, Window
from funnel.rest import auth, bodies, errors, jobs, messages, pages
from funnel.rest.accounts import listed, read_each
from funnel.rest.client import Client, Dialect, connect

DEFAULT_VERSION = "v13"  # of the REST interface; SOAP of the same number ends 2027-01-31
DEFAULT_TOKEN_URL = "https://login.microsoftonline.com/common/oauth2/v2.0/token"  # noqa: S105 - an address
SCOPE = "https://ads.microsoft.com/msads.manage offline_access"
# Decides what counts as "today" and perhaps as a day: a setting. Microsoft's own default is Pacific time.
DEFAULT_TIME_ZONE = "GreenwichMeanTimeDublinEdinburghLisbonLondon"

STREAMS = (
    Stream(
        name="campaign_stats",
        kind="dated",
        key=("account_id", "campaign_id", "date"),
        day="date",
        account="account_id",
        columns=(
            Column("date", "date", "TimePeriod", required=True),
            Column("account_id", "text", "AccountId", required=True),
            Column("currency_code", "text", "CurrencyCode"),
            Column("campaign_id", "text", "CampaignId", required=True),
            Column("impressions", "bigint", "Impressions"),
            Column("clicks", "bigint", "Clicks"),
            Column("spend", "numeric", "Spend", required=True),
            Column("conversions", "numeric", "Conversions"),
            Column("revenue", "numeric", "Revenue"),
            Column("report_time_zone", "text", "Report Time Zone"),
        ),
        money=Money("currency_code", ("spend", "revenue")),
    ),
    Stream(
        name="campaigns",
        kind="changed",
        key=("account_id", "campaign_id"),
        keep_versions=True,
        account="account_id",
        columns=(
            Column("account_id", "text", "AccountId", required=True),
            Column("campaign_id", "text", "CampaignId", required=True),
            Column("campaign_name", "text", "CampaignName"),
            Column("status", "text", "CampaignStatus"),
            Column("campaign_type", "text", "CampaignType"),
        ),
        ignored=("Impressions", "Report Time Zone"),
    ),
)


def fetch(connection: Connection, stream: Stream, window: Window) -> Iterator[Fetched]:
    """One report for each ad account of the connection. Campaigns are those that were shown in the window.

    One report over several accounts would be refused whole if one of them is not accessible.
    """
    accounts = listed("microsoft_ads", connection, "account_ids")
    with connect(DIALECT, connection) as client:

        def read(account_id: str) -> Iterator[bytes]:
            # A report needs at least one measure.
            columns = [column.path for column in stream.columns if " " not in column.path]
            columns += ["Impressions"] if stream.name == "campaigns" else []

            def report(part: Window) -> Iterator[messages.Page]:
                return jobs.read_report(client, _submission(connection, account_id, columns, stream, part), _REPORT)

            for page in pages.read_halving(window, report) if stream.kind == "dated" else report(window):
                yield page.body

        yield from read_each(accounts, read)


def records(stream: Stream, body: bytes) -> Iterator[Any]:
    """The rows of one report, decompressed as they are read: lines about the report come first and last."""
    header: list[str] | None = None
    zone: str | None = None
    for number, fields in enumerate(bodies.read_zipped_rows(body), start=1):
        filled = sum(field.strip() != "" for field in fields)
        if header is None and filled > 1:
            header = bodies.named_once(fields)
        elif header is None and filled == 1:
            name, _, value = fields[0].partition(": ")
            zone = value.strip() or None if name == "Time Zone" else zone
        elif header is not None and filled > 1:
            record = bodies.record(header, fields, number)
            if isinstance(record, dict):
                # Two dashes mean a missing figure.
                record = {name: None if field == "--" else field for name, field in record.items()}
                record["Report Time Zone"] = zone
            yield record


def _submission(
    connection: Connection, account_id: str, columns: list[str], stream: Stream, window: Window
) -> messages.Request:
    extra = connection.extra
    return messages.Request(
        "POST",
        f"/Reporting/{extra.get('version', DEFAULT_VERSION)}/GenerateReport/Submit",
        json={
            "ReportRequest": {
                "Type": "CampaignPerformanceReportRequest",
                "ReportName": f"{stream.name} {window.from_day} {window.days[-1]}",
                "Format": "Csv",
                # Version 1.0 writes thousands separators into Revenue.
                "FormatVersion": "2.0",
                "Aggregation": "Daily" if stream.kind == "dated" else "Summary",
                # Books close three hours after the day; until then a report that requires complete data is refused.
                "ReturnOnlyCompleteData": bool(extra.get("complete_only", False)),
                "Columns": columns,
                "Scope": {"AccountIds": [account_id]},
                "Time": {
                    "CustomDateRangeStart": _day_parts(window.from_day),
                    "CustomDateRangeEnd": _day_parts(window.days[-1]),
                    "ReportTimeZone": extra.get("report_time_zone", DEFAULT_TIME_ZONE),
                },
            }
        },
        headers={"CustomerAccountId": account_id},
    )


def _day_parts(day: date) -> dict[str, int]:
    return {"Day": day.day, "Month": day.month, "Year": day.year}


def _poll(submission: messages.Request, submitted: Any) -> messages.Request:
    path = submission.path.removesuffix("Submit") + "Poll"
    return replace(submission, path=path, json={"ReportRequestId": messages.value_at(submitted, "ReportRequestId")})


_REPORT = jobs.Report(
    poll=_poll,
    state=lambda answer: str(messages.value_at(answer, "ReportRequestStatus.Status")),
    # Success without a URL means that there are no data.
    address=lambda answer: messages.value_at(answer, "ReportRequestStatus.ReportDownloadUrl"),
    pending=("Pending",),
    ready=("Success",),
)


def _sign(connection: Connection, token: str, request: messages.Request) -> messages.Request:
    headers = {
        **request.headers,
        "Authorization": f"Bearer {token}",
        "DeveloperToken": str(connection.extra.get("developer_token", "")),
    }
    customer = connection.extra.get("customer_id")
    if customer:
        headers["CustomerId"] = str(customer)
    return replace(request, headers=headers)


def _log_in(client: Client) -> auth.Token:
    connection = client.connection
    form = {
        "client_id": connection.login or "",
        "grant_type": "refresh_token",
        "refresh_token": client.refresh_token,
        "scope": SCOPE,
    }
    if connection.password:
        # Apps of type "web" have a secret, native apps have none.
        form["client_secret"] = connection.password
    answer = client.ask_for_token(
        messages.Request("POST", connection.extra.get("token_url", DEFAULT_TOKEN_URL), form=form)
    )
    return auth.token_of(answer)


_RATE_SECONDS = 60.0  # calls per minute and customer: 117
_BOOKS_SECONDS = 3_600.0  # books close three hours after the day: 2004
# 106 UserIsNotAuthorized, 2003 AccountNotAuthorized; other codes of accounts say so in their names.
_ONE_ACCOUNT = {106, 2003}
_ADVICE = {
    2003: "Give the user of the refresh token access to this ad account, or take it out of account_ids: its days stay.",
    105: "Sign in again, and check developer_token: it is of one environment.",
    106: (
        "Give the user of the refresh token access to this ad account, and name its customer_id. If the account is "
        "closed for good, take it out of account_ids: its days stay."
    ),
    207: "Nothing: other reports of this user are being made.",
}


def _diagnose(answer: messages.Answer) -> messages.Diagnosis | None:
    body = answer.parsed
    if not isinstance(body, dict):
        return None
    if isinstance(body.get("error"), str):
        # A refresh token expires after 90 days without use, and when the user's password changes: invalid_grant.
        return auth.oauth_refusal(answer, body["error"], str(body.get("error_description", "")))
    # Errors of the service are in Errors, those of the operation in OperationErrors.
    failures = [*(body.get("OperationErrors") or ()), *(body.get("Errors") or ())]
    if not failures:
        return messages.Diagnosis(errors.Unavailable, "Error without a code") if "TrackingId" in body else None
    first = failures[0]
    code = int(first.get("Code") or 0)
    message = f"{code} {first.get('ErrorCode')}: {first.get('Message')}"
    advice = _ADVICE.get(code)
    if code == 109:
        return messages.Diagnosis(errors.TokenExpired, message)
    if code == 105:
        # Also a token that was withdrawn before its time: one that was kept is renewed once.
        return messages.Diagnosis(errors.DeadToken, message, advice=advice)
    if code in (117, 207):
        return messages.Diagnosis(errors.Throttled, message, wait_seconds=_RATE_SECONDS, advice=advice)
    if code == 2004:
        return messages.Diagnosis(errors.QuotaExhausted, message, wait_seconds=_BOOKS_SECONDS)
    if code in _ONE_ACCOUNT or "Account" in str(first.get("ErrorCode")):
        return messages.Diagnosis(errors.AccountDenied, message, advice=advice)
    if code == 0 or answer.status >= 500:
        return messages.Diagnosis(errors.Unavailable, message)
    return messages.Diagnosis(errors.Refused, message, advice=advice)


DIALECT = Dialect("microsoft_ads", sign=_sign, diagnose=_diagnose, login=_log_in)

SOURCE = Source(
    name="microsoft_ads",
    streams=STREAMS,
    # Conversions are credited to the click, up to 30 days back by default (90 at most), and to views within 30 days.
    restatement_days=30,
    fetch=fetch,
    records=records,
)
