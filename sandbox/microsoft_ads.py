"""Microsoft Advertising's reporting service over REST: tokens, Submit, Poll, and the file of a report.

A file is a ZIP archive with one CSV: lines about the report, a header, rows, a copyright line. Its URL is valid for
five minutes and is missing if there are no data. Campaign performance by day or as a sum is served.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from sandbox.ad_accounts import AdAccount, Campaign, Figures
from sandbox.clock import DAY, HOUR, MINUTE, day_of, day_start, instant
from sandbox.credentials import (
    MICROSOFT_CLIENT_ID,
    MICROSOFT_CLIENT_SECRET,
    MICROSOFT_CUSTOMER_ID,
    MICROSOFT_DEVELOPER_TOKEN,
    MICROSOFT_REFRESH_TOKEN,
)
from sandbox.exchange import Answer, Call, Handler, Refusal, World

VENDOR = "microsoft_ads"
BOOKS_CLOSE = 3 * HOUR
ADDRESS_LIVES = 5 * MINUTE
MONTHS_KEPT = 36
MOST_REPORTS = 100  # being prepared at once
ZONES = {
    "GreenwichMeanTimeDublinEdinburghLisbonLondon": "(GMT) Greenwich Mean Time: Dublin, Edinburgh, Lisbon, London",
    "PacificTimeUSCanadaTijuana": "(GMT-08:00) Pacific Time (US and Canada); Tijuana",
    "EasternTimeUSCanada": "(GMT-05:00) Eastern Time (US and Canada)",
    "AmsterdamBerlinBernRomeStockholmVienna": "(GMT+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna",
}
DEFAULT_ZONE = "PacificTimeUSCanadaTijuana"


# --- errors ---------------------------------------------------------------------------------------------------------


def fault(code: int, name: str, message: str, status: int = 400) -> Answer:
    """A fault of the whole service: a token, a rate, a permission."""
    error = {"Code": code, "Detail": None, "ErrorCode": name, "Message": message}
    return Answer({"Errors": [error], "TrackingId": "sandbox-tracking", "Type": "AdApiFaultDetail"}, status)


def operation_error(code: int, name: str, message: str, status: int = 400) -> Answer:
    """A fault of the one operation."""
    error = {"Code": code, "Details": None, "ErrorCode": name, "Message": message}
    return Answer(
        {"BatchErrors": [], "OperationErrors": [error], "TrackingId": "sandbox-tracking", "Type": "ApiFaultDetail"},
        status,
    )


def _refuse(code: int, name: str, message: str) -> Refusal:
    return Refusal(operation_error(code, name, message))


def token_expired() -> Answer:
    return fault(109, "AuthenticationTokenExpired", "Authentication token expired. Please renew the token.", 401)


def incomplete() -> Answer:
    return operation_error(
        2004,
        "ReportingServiceNoCompleteDataAvaliable",
        "The data for the requested time period is not complete yet. Set ReturnOnlyCompleteData to false or try later.",
    )


def _authorize(world: World, call: Call) -> None:
    token = call.bearer or call.headers.get("authenticationtoken")
    if token is None:
        raise Refusal(fault(105, "InvalidCredentials", "Authentication failed. No credentials were supplied.", 401))
    if not world.knows_token(VENDOR, token):
        bad = fault(105, "InvalidCredentials", "Authentication failed. Either supplied credentials are invalid.", 401)
        raise Refusal(token_expired() if token in world.tokens else bad)
    if call.headers.get("developertoken") != MICROSOFT_DEVELOPER_TOKEN:
        raise Refusal(fault(105, "InvalidCredentials", "The developer token is missing or invalid.", 401))
    if call.headers.get("customerid") not in (None, "", MICROSOFT_CUSTOMER_ID):
        raise Refusal(fault(106, "UserIsNotAuthorized", "The user is not authorized for this customer.", 403))


# --- tokens ---------------------------------------------------------------------------------------------------------


def give_token(world: World, call: Call, _: dict[str, str]) -> Answer:
    """POST /common/oauth2/v2.0/token (login.microsoftonline.com): refresh tokens only."""
    form = call.form
    if form.get("grant_type") != "refresh_token":
        message = f"AADSTS70003: The app requested an unsupported grant type '{form.get('grant_type')}'."
        return Answer({"error": "unsupported_grant_type", "error_description": message}, 400)
    if form.get("client_id") != MICROSOFT_CLIENT_ID or form.get("client_secret") != MICROSOFT_CLIENT_SECRET:
        return Answer({"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret."}, 401)
    if "msads.manage" not in form.get("scope", ""):
        return Answer({"error": "invalid_scope", "error_description": "AADSTS70011: The scope is not valid."}, 400)
    if form.get("refresh_token") != MICROSOFT_REFRESH_TOKEN:
        return refuse_refresh()
    return Answer(
        {
            "token_type": "Bearer",
            "scope": "https://ads.microsoft.com/msads.manage",
            "expires_in": world.settings.token_seconds - 1,
            "access_token": world.issue_token(VENDOR, "EwB-sandbox-"),
            "refresh_token": MICROSOFT_REFRESH_TOKEN,
        }
    )


def refuse_refresh() -> Answer:
    message = "AADSTS70000: The user could not be authenticated as the grant is expired. The user must sign in again."
    return Answer({"error": "invalid_grant", "error_description": message}, 400)


# --- reports --------------------------------------------------------------------------------------------------------

KINDS = {"SEARCH": "Search & content", "AUDIENCE": "Audience", "SHOPPING": "Shopping"}


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


Column = Callable[[AdAccount, Campaign, Figures, str, int], str]
COLUMNS: dict[str, Column] = {
    "TimePeriod": lambda account, campaign, figures, day, now: day,
    "AccountId": lambda account, campaign, figures, day, now: account.id,
    "AccountName": lambda account, campaign, figures, day, now: account.name,
    "AccountNumber": lambda account, campaign, figures, day, now: f"X{account.id[-7:]}",
    "AccountStatus": lambda account, campaign, figures, day, now: "Active",
    "CampaignId": lambda account, campaign, figures, day, now: campaign.id,
    "CampaignName": lambda account, campaign, figures, day, now: campaign.name_at(now),
    "CampaignStatus": lambda account, campaign, figures, day, now: campaign.status_at(now),
    "CampaignType": lambda account, campaign, figures, day, now: KINDS[campaign.kind],
    "CurrencyCode": lambda account, campaign, figures, day, now: account.currency,
    "Impressions": lambda account, campaign, figures, day, now: str(figures.impressions),
    "Clicks": lambda account, campaign, figures, day, now: str(figures.clicks),
    "Spend": lambda account, campaign, figures, day, now: _money(figures.spend_cents),
    "AverageCpc": lambda account, campaign, figures, day, now: (
        _money(figures.spend_cents // figures.clicks) if figures.clicks else "--"
    ),
    "Conversions": lambda account, campaign, figures, day, now: str(int(figures.conversions)),
    "ConversionsQualified": lambda account, campaign, figures, day, now: f"{figures.conversions:.2f}",
    "Revenue": lambda account, campaign, figures, day, now: _money(round(figures.conversions_value * 100)),
}
FIGURES = {"Impressions", "Clicks", "Spend", "AverageCpc", "Conversions", "ConversionsQualified", "Revenue"}


def _day(parts: Any, which: str) -> date:
    try:
        return date(int(parts["Year"]), int(parts["Month"]), int(parts["Day"]))
    except (KeyError, TypeError, ValueError):
        raise _refuse(2011, "ReportingServiceInvalidCustomDateRangeStart", f"Invalid {which}.") from None


def _accounts(world: World, ids: list[Any], now: int) -> list[AdAccount]:
    known = {account.id: account for account in world.scenario.accounts(VENDOR)}
    for account_id in ids:
        if str(account_id) not in known:
            message = f"The user is not authorized for the account {account_id}."
            raise Refusal(operation_error(2010, "ReportingServiceNoPermission", message, 403))
        if known[str(account_id)].is_closed(now):
            raise Refusal(fault(106, "UserIsNotAuthorized", "The user is not authorized to perform this action.", 403))
    return [known[str(account_id)] for account_id in ids]


def _asked(call: Call) -> dict[str, Any]:
    """The report that is asked for, if it is one that is served here."""
    try:
        asked = call.json.get("ReportRequest")
    except (ValueError, AttributeError):
        asked = None
    if not isinstance(asked, dict):
        raise _refuse(100, "NullRequest", "The request message is null.")
    if asked.get("Type") != "CampaignPerformanceReportRequest":
        raise _refuse(
            2001, "ReportingServiceInvalidReportType", "Only CampaignPerformanceReportRequest is served here."
        )
    if asked.get("Format", "Csv") != "Csv":
        raise _refuse(2002, "ReportingServiceInvalidFormat", "Only Csv is served here.")
    return asked


def _columns(asked: dict[str, Any]) -> list[str]:
    columns: list[str] = asked.get("Columns") or []
    for name in columns:
        if name not in COLUMNS:
            raise _refuse(2005, "ReportingServiceInvalidColumn", f"Invalid column: {name}")
    if not FIGURES & set(columns):
        raise _refuse(2006, "ReportingServiceNoPerformanceColumn", "At least one performance statistic is required.")
    aggregation = asked.get("Aggregation")
    if aggregation not in ("Daily", "Summary"):
        raise _refuse(2003, "ReportingServiceInvalidAggregation", f"Invalid aggregation: {aggregation}")
    if (aggregation == "Daily") != ("TimePeriod" in columns):
        raise _refuse(2007, "ReportingServiceTimePeriodColumn", "TimePeriod belongs to every aggregation but Summary.")
    return columns


def _span(time: dict[str, Any], today: date) -> tuple[date, date]:
    first, last = _day(time.get("CustomDateRangeStart"), "start"), _day(time.get("CustomDateRangeEnd"), "end")
    if first > last:
        raise _refuse(2013, "ReportingServiceInvalidCustomDateRangeEnd", "The end must not be before the start.")
    months = today.year * 12 + today.month - 1 - MONTHS_KEPT
    if first < date(months // 12, months % 12 + 1, 1):
        message = "Daily data are kept for 36 months."
        raise _refuse(2014, "ReportingServiceInvalidCustomDateRangeStart", message)
    return first, last


def submit(world: World, call: Call, _: dict[str, str]) -> Answer:
    """POST /Reporting/v13/GenerateReport/Submit. Raises Refusal."""
    _authorize(world, call)
    asked = _asked(call)
    columns = _columns(asked)
    accounts = _accounts(world, (asked.get("Scope") or {}).get("AccountIds") or [], call.now)
    if not accounts:
        raise _refuse(2009, "ReportingServiceInvalidScope", "The scope names no account.")
    time = asked.get("Time") or {}
    zone = time.get("ReportTimeZone") or DEFAULT_ZONE
    if zone not in ZONES:
        raise _refuse(2012, "ReportingServiceInvalidReportTimeZone", f"Invalid time zone: {zone}")
    today = day_of(call.now)
    first, last = _span(time, today)
    # A day is complete three hours after its end in UTC.
    is_complete = call.now >= day_start(last) + DAY + BOOKS_CLOSE
    if asked.get("ReturnOnlyCompleteData") and not is_complete:
        raise Refusal(incomplete())
    number = f"{30_000_000_000 + world.number('microsoft report')}"
    rows = _rows(accounts, columns, asked["Aggregation"], first, min(last, today), call.now)
    world.cursors[f"report {number}"] = {
        "polls": 0,
        "columns": columns,
        "rows": rows,
        "name": asked.get("ReportName") or "Campaign Performance Report",
        "span": (first, last),
        "zone": ZONES[zone],
        "aggregation": asked["Aggregation"],
        "is_complete": is_complete,
        "old_commas": asked.get("FormatVersion") != "2.0",
    }
    return Answer({"ReportRequestId": number}, headers={"TrackingId": "sandbox-tracking"})


def _rows(
    accounts: list[AdAccount], columns: list[str], aggregation: str, first: date, last: date, now: int
) -> list[dict[str, str]]:
    days = [first + timedelta(n) for n in range((last - first).days + 1)]
    spans = [(day.isoformat(), [day]) for day in days] if aggregation == "Daily" else [("", days)]
    rows = []
    for text, inside in spans:
        for account in accounts:
            for campaign in account.campaigns:
                shown = [figures for day in inside if (figures := account.report(campaign, day, now))]
                if shown:
                    total = Figures(
                        sum(part.spend_cents for part in shown),
                        sum(part.impressions for part in shown),
                        sum(part.clicks for part in shown),
                        sum(part.conversions for part in shown),
                        sum(part.conversions_value for part in shown),
                    )
                    rows.append({name: COLUMNS[name](account, campaign, total, text, now) for name in columns})
    return rows


def _report(world: World, number: str) -> dict[str, Any]:
    report: dict[str, Any] | None = world.cursors.get(f"report {number}")
    if report is None:
        raise _refuse(2100, "ReportingServiceInvalidReportId", f"There is no report {number}.")
    return report


def poll(world: World, call: Call, _: dict[str, str]) -> Answer:
    """POST /Reporting/v13/GenerateReport/Poll."""
    _authorize(world, call)
    number = str(call.json.get("ReportRequestId"))
    report = _report(world, number)
    report["polls"] += 1
    status: dict[str, Any] = {"ReportDownloadUrl": None, "Status": "Pending"}
    if report["polls"] > world.settings.report_polls:
        status["Status"] = "Success"
        if report["rows"]:
            ticket = world.number("microsoft address")
            world.cursors[f"address {ticket}"] = (number, call.now)
            address = f"{call.base_url}/ReportDownload/Download.aspx?q={number}&ticket={ticket}"
            status["ReportDownloadUrl"] = address
    return Answer({"ReportRequestStatus": status}, headers={"TrackingId": "sandbox-tracking"})


def download(world: World, call: Call, _: dict[str, str]) -> Answer:
    """GET the URL that Poll named: no token is needed, and none should be sent."""
    number, issued = world.cursors.get(f"address {call.query.get('ticket')}", (None, 0))
    if number is None or number != call.query.get("q") or call.now - issued > ADDRESS_LIVES:
        return dead_address()
    report = _report(world, number)
    # Faults change a copy: the next download of the report is good again.
    copied = {**report, "rows": [dict(row) for row in report["rows"]]}
    return Answer(copied, encode=_archive, content_type="application/zip")


def dead_address() -> Answer:
    text = '<?xml version="1.0" encoding="utf-8"?><Error><Code>AuthenticationFailed</Code></Error>'
    return Answer(status=403, text=text, content_type="application/xml")


def _archive(report: dict[str, Any]) -> bytes:
    """The CSV of a report as the one file of a ZIP archive."""
    first, last = report["span"]
    done = f"{last:%m/%d/%Y} 12:00:00 AM (GMT)"
    text = io.StringIO()
    for line in (
        f"Report Name: {report['name']}",
        f"Report Time: {first:%m/%d/%Y},{last:%m/%d/%Y}",
        f"Time Zone: {report['zone']}",
        f"Last Completed Available Day: {done}",
        f"Last Completed Available Hour: {done}",
        f"Report Aggregation: {report['aggregation']}",
        "Report Filter: ",
        f"Potential Incomplete Data: {'false' if report['is_complete'] else 'true'}",
        f"Rows: {len(report['rows'])}",
    ):
        text.write(f'"{line}"\r\n')
    text.write("\r\n")
    # A field that was removed or added was removed or added in the rows.
    columns = list(dict.fromkeys(name for row in report["rows"] for name in row)) or report["columns"]
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(columns)
    for row in report["rows"]:
        values = [row.get(name, "") for name in columns]
        if report["old_commas"]:
            values = [
                f"{float(value):,.2f}" if name == "Revenue" else value
                for name, value in zip(columns, values, strict=True)
            ]
        writer.writerow(values)
    text.write("\r\n")
    text.write('"\u00a92026 Microsoft Corporation. All rights reserved. "\r\n')
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo("report.csv", date_time=instant(day_start(last)).timetuple()[:6])
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, text.getvalue().encode("utf-8-sig", "surrogatepass"))
    return buffer.getvalue()


ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", r"/common/oauth2/v2\.0/token", give_token),
    ("POST", r"/Reporting/v13/GenerateReport/Submit", submit),
    ("POST", r"/Reporting/v13/GenerateReport/Poll", poll),
    ("GET", r"/ReportDownload/Download\.aspx", download),
)


# --- what faults need to know ---------------------------------------------------------------------------------------


def stream_of(world: World, call: Call) -> str | None:
    """The stream of a request: submissions by their aggregation, polls and files by their report."""
    if call.path.endswith("/Submit"):
        return "campaigns" if b'"Summary"' in call.body else "campaign_stats"
    number = str(call.json.get("ReportRequestId")) if call.path.endswith("/Poll") else call.query.get("q")
    report = world.cursors.get(f"report {number}")
    return None if report is None else "campaigns" if report["aggregation"] == "Summary" else "campaign_stats"


def is_later_page(call: Call) -> bool:
    """There are no pages; everything after the submission counts as a later one."""
    return call.path.endswith("/Poll")


def rows_of(payload: Any) -> list[Any] | None:
    return payload.get("rows") if isinstance(payload, dict) else None


def hollow(call: Call, payload: Any) -> Any:
    """There are no pages that could be empty."""
    return payload
