"""LinkedIn's marketing interface: tokens, ad accounts, campaigns and adAnalytics, versioned by month.

Queries are Rest.li 2.0: lists and records in brackets that must stand unescaped. Lists of accounts and campaigns have
pages by token; adAnalytics has none and is cut after 15,000 elements without a word. Pivots ACCOUNT and CAMPAIGN are
served; creatives, demographics and the statistics finder are not part of the company.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any
from urllib.parse import unquote, unquote_plus

from sandbox.ads import AdAccount, Campaign, Figures
from sandbox.clock import day_of
from sandbox.credentials import LINKEDIN_CLIENT_ID, LINKEDIN_CLIENT_SECRET, LINKEDIN_REFRESH_TOKEN
from sandbox.exchange import Answer, Call, Handler, Refusal, World, decode_cursor, encode_cursor

VENDOR = "linkedin_ads"
NEWEST, OLDEST = 202607, 202512
LONGEST_QUERY = 4 * 1024
MOST_FIELDS = 20
LARGEST_PAGE = 1_000
TOKEN_DAYS = 60

# Metrics that clients may ask for and that nothing here ever moves.
# fmt: off
ALWAYS_ZERO = (
    "actionClicks", "adUnitClicks", "approximateMemberReach", "cardClicks", "cardImpressions", "commentLikes",
    "comments", "companyPageClicks", "documentCompletions", "documentFirstQuartileCompletions",
    "documentMidpointCompletions", "documentThirdQuartileCompletions", "downloadClicks", "follows",
    "fullScreenPlays", "jobApplications", "jobApplyClicks", "leadGenerationMailContactInfoShares",
    "leadGenerationMailInterestedClicks", "likes", "oneClickLeadFormOpens", "opens", "otherEngagements",
    "postClickJobApplications", "postClickJobApplyClicks", "postClickRegistrations", "postViewJobApplications",
    "postViewJobApplyClicks", "postViewRegistrations", "reactions", "registrations", "sends", "shares",
    "talentLeads", "textUrlClicks", "validWorkEmailLeads", "videoCompletions", "videoFirstQuartileCompletions",
    "videoMidpointCompletions", "videoStarts", "videoThirdQuartileCompletions", "videoViews", "viralCardClicks",
    "viralCardImpressions", "viralClicks", "viralCommentLikes", "viralComments", "viralCompanyPageClicks",
    "viralDocumentCompletions", "viralDocumentFirstQuartileCompletions", "viralDocumentMidpointCompletions",
    "viralDocumentThirdQuartileCompletions", "viralDownloadClicks", "viralExternalWebsiteConversions",
    "viralExternalWebsitePostClickConversions", "viralExternalWebsitePostViewConversions", "viralFollows",
    "viralFullScreenPlays", "viralImpressions", "viralJobApplications", "viralJobApplyClicks",
    "viralLandingPageClicks", "viralLikes", "viralOneClickLeadFormOpens", "viralOneClickLeads",
    "viralOtherEngagements", "viralPostClickJobApplications", "viralPostClickJobApplyClicks",
    "viralPostClickRegistrations", "viralPostViewJobApplications", "viralPostViewJobApplyClicks",
    "viralPostViewRegistrations", "viralReactions", "viralRegistrations", "viralShares",
    "viralTotalEngagements", "viralVideoCompletions", "viralVideoFirstQuartileCompletions",
    "viralVideoMidpointCompletions", "viralVideoStarts", "viralVideoThirdQuartileCompletions",
    "viralVideoViews",
)
# fmt: on
CAMPAIGN_STATUSES = ("ACTIVE", "PAUSED", "ARCHIVED", "COMPLETED", "CANCELED", "DRAFT", "PENDING_DELETION", "REMOVED")
PIVOTS = ("ACCOUNT", "CAMPAIGN")


# --- errors ---------------------------------------------------------------------------------------------------------


def error(status: int, code: str, message: str, service_code: int | None = None) -> Answer:
    body: dict[str, Any] = {"status": status}
    if service_code is not None:
        body["serviceErrorCode"] = service_code
    return Answer({**body, "code": code, "message": message}, status)


def _illegal(message: str) -> Refusal:
    return Refusal(error(400, "ILLEGAL_ARGUMENT", message))


# --- queries --------------------------------------------------------------------------------------------------------


def _read_value(text: str) -> Any:
    """A Rest.li value: `List(a,b)`, `(key:value,…)` or a text whose own brackets, commas and colons are escaped."""
    value, rest = _take(text)
    if rest:
        raise _illegal(f"Unexpected '{rest[0]}' in a parameter value")
    return value


def _take(text: str) -> tuple[Any, str]:
    if text.startswith("List("):
        return _take_list(text[5:])
    if text.startswith("("):
        return _take_record(text[1:])
    end = min((place for mark in ",):(" if (place := text.find(mark)) >= 0), default=len(text))
    return unquote_plus(text[:end]), text[end:]


def _next(text: str) -> str:
    """What follows a comma, or the closing bracket."""
    if text.startswith(")"):
        return text
    if not text.startswith(","):
        raise _illegal(f"Unexpected '{text[:1]}' in a parameter value" if text else "A list or record is not closed")
    return text[1:]


def _take_list(text: str) -> tuple[list[Any], str]:
    items: list[Any] = []
    while not text.startswith(")"):
        item, text = _take(text)
        items.append(item)
        text = _next(text)
    return items, text[1:]


def _take_record(text: str) -> tuple[dict[str, Any], str]:
    record: dict[str, Any] = {}
    while not text.startswith(")"):
        name, colon, text = text.partition(":")
        if not colon:
            raise _illegal("A record is not closed")
        record[name], text = _take(text)
        text = _next(text)
    return record, text[1:]


def _raw_query(call: Call) -> str:
    return call.body.decode("utf-8", "replace") if call.method == "POST" else call.query_string


def _parameters(call: Call) -> dict[str, str]:
    """Parameters as sent, unescaped only in part: structure is told from content by the escapes."""
    pairs = (part.partition("=") for part in _raw_query(call).split("&") if part)
    return {unquote(name): value for name, _, value in pairs}


def _authorize(world: World, call: Call) -> dict[str, str]:
    if len(call.query_string) > LONGEST_QUERY:
        raise Refusal(
            Answer(status=414, text="<html><body>Request-URI Too Long</body></html>", content_type="text/html")
        )
    if call.method == "POST" and call.headers.get("x-http-method-override", "").upper() != "GET":
        raise Refusal(error(405, "METHOD_NOT_ALLOWED", "Unsupported method: POST"))
    token = call.bearer
    if token is None:
        raise Refusal(error(401, "EMPTY_ACCESS_TOKEN", "Empty oauth2 access token", 65604))
    if token in world.revoked:
        raise Refusal(token_revoked())
    if not world.knows_token(VENDOR, token):
        invalid = error(401, "INVALID_ACCESS_TOKEN", "Invalid access token", 65600)
        raise Refusal(token_expired() if token in world.tokens else invalid)
    version = call.headers.get("linkedin-version", "")
    if not version:
        message = "A version must be present. Please specify a version by adding the LinkedIn-Version header."
        raise Refusal(error(400, "VERSION_MISSING", message))
    if not (version.isdigit() and len(version) == 6):
        raise Refusal(error(400, "INVALID_VERSION", f"Invalid version format: {version}. It must be YYYYMM."))
    if int(version) > NEWEST or (int(version) < OLDEST and not world.settings.accept_sunset_versions):
        raise Refusal(error(426, "NONEXISTENT_VERSION", f"Requested version {version}01 is not active"))
    parameters = _parameters(call)
    structured = any("(" in value for value in parameters.values())
    if structured and call.headers.get("x-restli-protocol-version") != "2.0.0":
        raise _illegal("Lists and records in a query need the header X-Restli-Protocol-Version: 2.0.0")
    if any("%28" in value for value in parameters.values()):
        raise _illegal("Invalid query parameters passed to request: brackets of lists and records must not be escaped")
    return parameters


def token_expired() -> Answer:
    return error(401, "EXPIRED_ACCESS_TOKEN", "The token used in the request has expired", 65602)


def token_revoked() -> Answer:
    return error(401, "REVOKED_ACCESS_TOKEN", "The token used in the request has been revoked by the user", 65601)


def _account(world: World, account_id: str) -> AdAccount:
    for account in world.scenario.accounts(VENDOR):
        if account.id == account_id:
            return account
    raise Refusal(error(403, "ACCESS_DENIED", f"Not enough permissions to access: GET /adAccounts/{account_id}", 100))


def _id_of(urn: str, kind: str) -> str:
    start = f"urn:li:{kind}:"
    if not isinstance(urn, str) or not urn.startswith(start) or not urn[len(start) :].isdigit():
        raise _illegal(f"Invalid URN '{urn}': {start}<id> was expected")
    return urn[len(start) :]


def _chosen(parameters: dict[str, str], rendered: dict[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
    """Only the fields that `fields` names; all without it."""
    if "fields" not in parameters:
        return rendered
    names = unquote(parameters["fields"]).split(",")
    for name in names:
        if name not in known:
            raise _illegal(f"Field '{name}' is not a field of this entity")
    return {name: rendered[name] for name in names if name in rendered}


# --- tokens ---------------------------------------------------------------------------------------------------------


def give_token(world: World, call: Call, _: dict[str, str]) -> Answer:
    """POST /oauth/v2/accessToken (www.linkedin.com): refresh tokens only."""
    form = call.form
    if form.get("grant_type") != "refresh_token":
        message = f"The passed in grant_type is invalid: {form.get('grant_type')}"
        return Answer({"error": "unsupported_grant_type", "error_description": message}, 400)
    if (form.get("client_id"), form.get("client_secret")) != (LINKEDIN_CLIENT_ID, LINKEDIN_CLIENT_SECRET):
        return Answer({"error": "invalid_client", "error_description": "Client authentication failed"}, 401)
    if form.get("refresh_token") != LINKEDIN_REFRESH_TOKEN:
        return refuse_refresh()
    return Answer(
        {
            "access_token": world.issue_token(VENDOR, "AQX-sandbox-"),
            "expires_in": TOKEN_DAYS * 86_400 - 1,
            "refresh_token": LINKEDIN_REFRESH_TOKEN,
            "refresh_token_expires_in": 365 * 86_400 - 1,
            "scope": "r_ads,r_ads_reporting",
        }
    )


def refuse_refresh() -> Answer:
    message = "The provided authorization grant or refresh token is invalid, expired or revoked."
    return Answer({"error": "invalid_grant", "error_description": message}, 400)


# --- accounts and campaigns -----------------------------------------------------------------------------------------

ACCOUNT_FIELDS = ("id", "name", "currency", "status", "type", "test", "reference", "version", "changeAuditStamps",
                  "servingStatuses", "notifiedOnCampaignOptimization", "notifiedOnCreativeApproval")  # fmt: skip
CAMPAIGN_FIELDS = ("id", "account", "name", "status", "type", "objectiveType", "costType", "campaignGroup", "format",
                   "creativeSelection", "dailyBudget", "unitCost", "runSchedule", "locale", "version",
                   "changeAuditStamps", "test", "servingStatuses")  # fmt: skip


def _render_account(account: AdAccount) -> dict[str, Any]:
    # LinkedIn's accounts have no time zone: all days are UTC.
    return {
        "id": int(account.id),
        "name": account.name,
        "currency": account.currency,
        "status": "ACTIVE",
        "type": "BUSINESS",
        "test": False,
        "reference": "urn:li:organization:4242",
        "version": {"versionTag": "3"},
        "servingStatuses": ["RUNNABLE"],
        "notifiedOnCampaignOptimization": True,
        "notifiedOnCreativeApproval": False,
        "changeAuditStamps": {"created": {"time": 1_577_836_800_000}, "lastModified": {"time": 1_704_067_200_000}},
    }


def _render_campaign(account: AdAccount, campaign: Campaign, now: int) -> dict[str, Any]:
    modified = max(at for at, _ in [*campaign.names, *campaign.statuses] if at <= now)
    created = campaign.names[0][0]
    return {
        "id": int(campaign.id),
        "account": f"urn:li:sponsoredAccount:{account.id}",
        "name": campaign.name_at(now),
        "status": campaign.status_at(now),
        "type": campaign.kind,
        "objectiveType": "LEAD_GENERATION",
        "costType": "CPC",
        "campaignGroup": f"urn:li:sponsoredCampaignGroup:{account.id}9",
        "creativeSelection": "OPTIMIZED",
        "dailyBudget": {"amount": "250", "currencyCode": account.currency},
        "unitCost": {"amount": "8.5", "currencyCode": account.currency},
        "runSchedule": {"start": created},
        "locale": {"country": "US", "language": "en"},
        "version": {"versionTag": str(1 + sum(at <= now for at, _ in campaign.names))},
        "servingStatuses": ["RUNNABLE"],
        "test": False,
        "changeAuditStamps": {"created": {"time": created}, "lastModified": {"time": modified}},
    }


def _page(world: World, parameters: dict[str, str], rows: list[dict[str, Any]]) -> Answer:
    try:
        size = int(parameters.get("pageSize", 100))
        start = decode_cursor(unquote(parameters["pageToken"]))[0] if "pageToken" in parameters else 0
    except ValueError:
        raise _illegal("Invalid pageToken or pageSize") from None
    if not 1 <= size <= LARGEST_PAGE:
        raise _illegal(f"pageSize must be between 1 and {LARGEST_PAGE}")
    metadata = {"nextPageToken": encode_cursor(start + size)} if start + size < len(rows) else {}
    return Answer({"elements": rows[start : start + size], "metadata": metadata})


def list_accounts(world: World, call: Call, _: dict[str, str]) -> Answer:
    """GET /rest/adAccounts?q=search."""
    parameters = _authorize(world, call)
    if parameters.get("q") != "search":
        raise _illegal("No such finder; adAccounts has q=search")
    rows = [
        _chosen(parameters, _render_account(account), ACCOUNT_FIELDS) for account in world.scenario.accounts(VENDOR)
    ]
    return _page(world, parameters, rows)


def get_account(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET /rest/adAccounts/{id}."""
    parameters = _authorize(world, call)
    return Answer(_chosen(parameters, _render_account(_account(world, parts["account"])), ACCOUNT_FIELDS))


def list_campaigns(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET /rest/adAccounts/{id}/adCampaigns?q=search."""
    parameters = _authorize(world, call)
    account = _account(world, parts["account"])
    if parameters.get("q") != "search":
        raise _illegal("No such finder; adCampaigns has q=search")
    search = _read_value(parameters["search"]) if "search" in parameters else {}
    wanted = search.get("status", {}).get("values") if isinstance(search, dict) else None
    for status in wanted or ():
        if status not in CAMPAIGN_STATUSES:
            raise _illegal(f"Invalid value for status: {status}")
    rows = [
        _chosen(parameters, _render_campaign(account, campaign, call.now), CAMPAIGN_FIELDS)
        for campaign in account.campaigns
        if campaign.is_listed(call.now) and (wanted is None or campaign.status_at(call.now) in wanted)
    ]
    return _page(world, parameters, rows)


# --- adAnalytics ----------------------------------------------------------------------------------------------------


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


METRICS: dict[str, Callable[[Figures], Any]] = {
    "impressions": lambda figures: figures.impressions,
    "clicks": lambda figures: figures.clicks,
    "landingPageClicks": lambda figures: figures.clicks * 9 // 10,
    "totalEngagements": lambda figures: figures.clicks,
    "costInLocalCurrency": lambda figures: _money(figures.spend_cents),
    "costInUsd": lambda figures: _money(figures.spend_cents),
    "externalWebsiteConversions": lambda figures: int(figures.conversions) - int(figures.conversions) // 3,
    "externalWebsitePostClickConversions": lambda figures: int(figures.conversions) - int(figures.conversions) // 3,
    "externalWebsitePostViewConversions": lambda figures: 0,
    "oneClickLeads": lambda figures: int(figures.conversions) // 3,
    "conversionValueInLocalCurrency": lambda figures: _money(round(figures.conversions_value * 100)),
    **{name: lambda figures: 0 for name in ALWAYS_ZERO},
}


def _day(parts: Any, which: str) -> date:
    try:
        return date(int(parts["year"]), int(parts["month"]), int(parts["day"]))
    except (KeyError, TypeError, ValueError):
        raise _illegal(f"Invalid dateRange.{which}") from None


def _day_parts(day: date) -> dict[str, int]:
    return {"year": day.year, "month": day.month, "day": day.day}


def _simple(value: Any) -> Any:
    """`CAMPAIGN`, or `(value:CAMPAIGN)` as older clients write it."""
    return value.get("value") if isinstance(value, dict) else value


def _facets(world: World, parameters: dict[str, str]) -> list[tuple[AdAccount, Campaign]]:
    """The campaigns that the facets name; what the member may not read is left out in silence."""
    known = {name: _read_value(parameters[name]) for name in ("accounts", "campaigns") if name in parameters}
    if not known:
        raise _illegal(
            "At least one facet is required: shares, campaigns, creatives, campaignGroups, accounts or companies"
        )
    accounts = {_id_of(urn, "sponsoredAccount") for urn in known["accounts"]} if "accounts" in known else None
    campaigns = {_id_of(urn, "sponsoredCampaign") for urn in known["campaigns"]} if "campaigns" in known else None
    return [
        (account, campaign)
        for account in world.scenario.accounts(VENDOR)
        if accounts is None or account.id in accounts
        for campaign in account.campaigns
        if campaigns is None or campaign.id in campaigns
    ]


def _elements(world: World, call: Call, parameters: dict[str, str]) -> Iterator[dict[str, Any]]:
    for name in ("pivot", "timeGranularity", "dateRange"):
        if name not in parameters:
            raise _illegal(f"Parameter '{name}' is required")
    pivot, granularity = (_simple(_read_value(parameters[name])) for name in ("pivot", "timeGranularity"))
    if pivot not in PIVOTS:
        raise _illegal(f"Invalid value for pivot: {pivot}")
    if granularity not in ("DAILY", "ALL"):
        raise _illegal(f"Invalid value for timeGranularity: {granularity}")
    span = _read_value(parameters["dateRange"])
    start = _day(span.get("start") if isinstance(span, dict) else None, "start")
    today = day_of(call.now)
    end = _day(span["end"], "end") if "end" in span else today
    if start > end:
        raise _illegal("dateRange.start must not be after dateRange.end")
    fields = unquote(parameters.get("fields", "impressions,clicks")).split(",")
    if len(fields) > MOST_FIELDS:
        raise _illegal(f"At most {MOST_FIELDS} fields may be requested at once")
    for name in fields:
        if name not in METRICS and name not in ("dateRange", "pivotValues"):
            raise _illegal(f"Unknown metric: {name}")
    members = _facets(world, parameters)
    groups: dict[str, list[tuple[AdAccount, Campaign]]] = {}
    for account, campaign in members:
        urn = (
            f"urn:li:sponsoredCampaign:{campaign.id}"
            if pivot == "CAMPAIGN"
            else f"urn:li:sponsoredAccount:{account.id}"
        )
        groups.setdefault(urn, []).append((account, campaign))
    days = [start + timedelta(n) for n in range((min(end, today) - start).days + 1)]
    spans = [(day, day, [day]) for day in days] if granularity == "DAILY" else [(start, end, days)]
    for first, last, inside in spans:
        for urn, some in groups.items():
            shown = [
                figures
                for account, campaign in some
                for day in inside
                if (figures := account.report(campaign, day, call.now))
            ]
            if shown:
                total = Figures(
                    sum(part.spend_cents for part in shown),
                    sum(part.impressions for part in shown),
                    sum(part.clicks for part in shown),
                    sum(part.conversions for part in shown),
                    sum(part.conversions_value for part in shown),
                )
                element: dict[str, Any] = {
                    "dateRange": {"start": _day_parts(first), "end": _day_parts(last)},
                    "pivotValues": [urn],
                    **{name: METRICS[name](total) for name in fields if name in METRICS},
                }
                yield {name: element[name] for name in element if name in fields}


def read_analytics(world: World, call: Call, _: dict[str, str]) -> Answer:
    """GET /rest/adAnalytics?q=analytics: one answer, cut silently where it is too long."""
    parameters = _authorize(world, call)
    if parameters.get("q") != "analytics":
        raise _illegal("No such finder here; adAnalytics has q=analytics")
    elements = list(_elements(world, call, parameters))[: world.settings.linkedin_max_elements]
    return Answer({"paging": {"start": 0, "count": 10, "links": []}, "elements": elements})


# A POST may be a GET whose query was too long for an address.
_READS: tuple[tuple[str, Handler], ...] = (
    (r"/rest/adAccounts", list_accounts),
    (r"/rest/adAccounts/(?P<account>\d+)", get_account),
    (r"/rest/adAccounts/(?P<account>\d+)/adCampaigns", list_campaigns),
    (r"/rest/adAnalytics", read_analytics),
)
ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", r"/oauth/v2/accessToken", give_token),
    *((method, path, handler) for method in ("GET", "POST") for path, handler in _READS),
)


# --- what faults need to know ---------------------------------------------------------------------------------------


def stream_of(world: World, call: Call) -> str | None:
    path = call.path.rstrip("/")
    if path.endswith("/adAnalytics"):
        return "campaign_stats"
    if path.endswith("/adCampaigns"):
        return "campaigns"
    return "accounts" if "/adAccounts" in path else None


def is_later_page(call: Call) -> bool:
    return "pageToken" in _parameters(call)


def rows_of(payload: Any) -> list[Any] | None:
    return payload.get("elements") if isinstance(payload, dict) else None


def hollow(call: Call, payload: Any) -> Any:
    """The answer as an empty page that is not the last."""
    offset, spelling = decode_cursor(unquote(_parameters(call)["pageToken"]))
    return {**payload, "elements": [], "metadata": {"nextPageToken": encode_cursor(offset, spelling + 1)}}
