"""GA4's Data API: runReport over the sessions of the properties, with Google's tokens, limits and omissions.

All values are strings; a report without rows has neither `rows` nor `rowCount`; what Google holds back is stated in
`metadata`. Filters, several date ranges, pivots, cohorts and realtime reports are not simulated.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import jwt

from sandbox.clock import day_of
from sandbox.credentials import GA4_CLIENT_EMAIL, service_account_key
from sandbox.exchange import Answer, Call, Handler, Refusal, World
from sandbox.visits import OTHER, Property, Report, Visit

VENDOR = "ga4"
VERSIONS = ("v1beta", "v1alpha")
AUDIENCE = "https://analyticsdata.googleapis.com/"
SCOPES = ("https://www.googleapis.com/auth/analytics.readonly", "https://www.googleapis.com/auth/analytics")
DEFAULT_LIMIT, LARGEST_LIMIT = 10_000, 250_000
TOKENS_PER_HOUR, TOKENS_PER_REPORT = 14_000, 10
SCHEMA = "https://developers.google.com/analytics/devguides/reporting/data/v1/api-schema"

Row = tuple[date, Visit]
COUNTRY_NAMES = {
    "DE": "Germany",
    "FR": "France",
    "NL": "Netherlands",
    "ES": "Spain",
    "GB": "United Kingdom",
    "IE": "Ireland",
    "US": "United States",
    "CA": "Canada",
    "BR": "Brazil",
    "JP": "Japan",
    "AU": "Australia",
    "SG": "Singapore",
}
DIMENSIONS: dict[str, Callable[[date, Visit], str]] = {
    "date": lambda day, visit: day.strftime("%Y%m%d"),
    "sessionDefaultChannelGroup": lambda day, visit: visit.group,
    "sessionPrimaryChannelGroup": lambda day, visit: visit.group,
    "sessionSource": lambda day, visit: visit.source,
    "sessionMedium": lambda day, visit: visit.medium,
    "sessionSourceMedium": lambda day, visit: OTHER if visit.source == OTHER else f"{visit.source} / {visit.medium}",
    "sessionCampaignId": lambda day, visit: visit.campaign_id,
    "sessionCampaignName": lambda day, visit: visit.campaign_name,
    "countryId": lambda day, visit: visit.country,
    "country": lambda day, visit: COUNTRY_NAMES.get(visit.country, visit.country),
}
METRICS: dict[str, tuple[str, Callable[[Visit], int]]] = {
    "sessions": ("TYPE_INTEGER", lambda visit: visit.sessions),
    "engagedSessions": ("TYPE_INTEGER", lambda visit: visit.engaged),
    "totalUsers": ("TYPE_INTEGER", lambda visit: visit.users),
    "activeUsers": ("TYPE_INTEGER", lambda visit: visit.users),
    "keyEvents": ("TYPE_FLOAT", lambda visit: visit.key_events),
}


# --- errors ---------------------------------------------------------------------------------------------------------


def error(status: int, state: str, message: str) -> Answer:
    return Answer({"error": {"code": status, "message": message, "status": state}}, status)


def _invalid(message: str) -> Refusal:
    return Refusal(error(400, "INVALID_ARGUMENT", message))


# --- tokens ---------------------------------------------------------------------------------------------------------


def _claims(token: str) -> dict[str, Any] | None:
    """The claims of a token that the service account signed; None if it did not sign it."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            service_account_key().public_key(),
            algorithms=["RS256"],
            options={"verify_aud": False, "require": ["iss", "iat", "exp"]},
        )
    except jwt.PyJWTError:
        return None
    return claims if claims["iss"] == GA4_CLIENT_EMAIL and claims["exp"] - claims["iat"] <= 3_610 else None


def give_token(world: World, call: Call, _: dict[str, str]) -> Answer:
    """POST /oauth2/v4/token: an access token for a signed assertion."""
    form = call.form
    if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
        return Answer({"error": "unsupported_grant_type", "error_description": "Invalid grant_type"}, 400)
    claims = _claims(form.get("assertion", ""))
    if claims is None:
        return Answer({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, 400)
    if claims.get("aud") != f"{call.base_url}{call.path}":
        return Answer({"error": "invalid_grant", "error_description": "Invalid JWT: wrong audience."}, 400)
    if not set(str(claims.get("scope", "")).split()) & set(SCOPES):
        return Answer({"error": "invalid_scope", "error_description": "Invalid OAuth scope or ID token audience."}, 400)
    seconds = world.settings.token_seconds - 1
    token = world.issue_token(VENDOR, "ya29.c.sandbox-")
    return Answer({"access_token": token, "expires_in": seconds, "token_type": "Bearer"})


def _authorize(world: World, call: Call) -> None:
    token = call.bearer
    if token and token not in world.tokens and (claims := _claims(token)):
        scoped = set(str(claims.get("scope", "")).split()) & set(SCOPES)
        if scoped or str(claims.get("aud", "")).rstrip("/") + "/" == AUDIENCE:
            world.keep_token(VENDOR, token)
    if not world.knows_token(VENDOR, token):
        raise Refusal(
            error(
                401,
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other "
                "valid authentication credential. See "
                "https://developers.google.com/identity/sign-in/web/devconsole-project.",
            )
        )


def _property(world: World, number: str) -> Property:
    for one in world.scenario.properties:
        if one.id == number:
            return one
    raise Refusal(
        error(
            403,
            "PERMISSION_DENIED",
            "User does not have sufficient permissions for this property. To learn more about Property ID, see "
            "https://developers.google.com/analytics/devguides/reporting/data/v1/property-id.",
        )
    )


# --- reports --------------------------------------------------------------------------------------------------------


def _names(body: dict[str, Any], part: str, known: dict[str, Any]) -> list[str]:
    names = [str(one.get("name")) for one in body.get(part) or ()]
    for name in names:
        if name not in known:
            kind = part.removesuffix("s")
            raise _invalid(
                f"Field {name} is not a valid {kind}. For a list of valid dimensions and metrics, see {SCHEMA} "
            )
    if len(names) != len(set(names)):
        raise _invalid(f"A field is requested twice in {part}.")
    return names


def _day(text: Any, today: date) -> date:
    if text in ("today", "yesterday"):
        return today - timedelta(text == "yesterday")
    if ago := re.fullmatch(r"(\d+)daysAgo", str(text)):
        return today - timedelta(int(ago[1]))
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", str(text)):
            raise ValueError
        return date.fromisoformat(str(text))
    except ValueError:
        raise _invalid(
            f"Invalid date: {text}. Dates should be formatted as YYYY-MM-DD, NdaysAgo, yesterday, or today."
        ) from None


def _range(body: dict[str, Any], today: date) -> tuple[date, date]:
    ranges = body.get("dateRanges") or []
    if len(ranges) != 1:
        raise _invalid("Exactly one date range is served here.")
    first, last = (_day(ranges[0].get(name), today) for name in ("startDate", "endDate"))
    if first > last:
        raise _invalid("startDate must be before or equal to endDate.")
    return first, min(last, today)


def _whole(body: dict[str, Any], name: str, default: int) -> int:
    value = body.get(name, default)
    if not str(value).isdigit():
        raise _invalid(f"{name} must be a number that is not negative.")
    return int(value)


def run_report(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """POST /v1beta/properties/{id}:runReport."""
    _authorize(world, call)
    found = _property(world, parts["property"])
    try:
        body = call.json if call.body else {}
    except ValueError:
        raise _invalid("Invalid JSON payload received.") from None
    if not isinstance(body, dict):
        raise _invalid("Invalid JSON payload received.")
    for name in body:
        if name not in KNOWN_FIELDS:
            raise _invalid(f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.')
    if body.get("property", f"properties/{found.id}") != f"properties/{found.id}":
        raise _invalid("The property of the body is not that of the address.")
    dimensions, metrics = _names(body, "dimensions", DIMENSIONS), _names(body, "metrics", METRICS)
    if not metrics:
        raise _invalid("At least one metric is required here.")
    if len(dimensions) > 9 or len(metrics) > 10:
        raise _invalid("Requests are limited to 9 dimensions and 10 metrics.")
    first, last = _range(body, day_of(call.now, found.time_zone))
    limit = min(_whole(body, "limit", DEFAULT_LIMIT) or DEFAULT_LIMIT, LARGEST_LIMIT)
    asked = Question(dimensions, metrics, first, last, _whole(body, "offset", 0), limit)
    quota = _spend(world, found)
    rows, reports = _rows(found, asked, call.now)
    _sort(rows, body.get("orderBys") or [], asked)
    payload = _render(found, asked, rows, reports)
    if body.get("returnPropertyQuota"):
        payload["propertyQuota"] = quota
    return Answer(payload)


KNOWN_FIELDS = {
    "property",
    "dimensions",
    "metrics",
    "dateRanges",
    "offset",
    "limit",
    "orderBys",
    "returnPropertyQuota",
    "keepEmptyRows",
    "currencyCode",
    "metricAggregations",
}


def _spend(world: World, found: Property) -> dict[str, Any]:
    """Charge the tokens of one report, which are used up for an hour."""
    name, reports = f"ga4 {found.id}", TOKENS_PER_HOUR // TOKENS_PER_REPORT
    if world.exceeds(name, reports if world.settings.rate_limits else 10**9, 3_600.0):
        raise Refusal(exhausted())
    used = len(world.windows[name]) * TOKENS_PER_REPORT if world.settings.rate_limits else TOKENS_PER_REPORT
    return {
        "tokensPerDay": {"consumed": TOKENS_PER_REPORT, "remaining": 200_000 - used},
        "tokensPerHour": {"consumed": TOKENS_PER_REPORT, "remaining": 40_000 - used},
        "concurrentRequests": {"consumed": 0, "remaining": 10},
        "serverErrorsPerProjectPerHour": {"consumed": 0, "remaining": 10},
        "potentiallyThresholdedRequestsPerHour": {"consumed": 0, "remaining": 120},
        "tokensPerProjectPerHour": {"consumed": TOKENS_PER_REPORT, "remaining": TOKENS_PER_HOUR - used},
    }


def exhausted() -> Answer:
    return error(
        429,
        "RESOURCE_EXHAUSTED",
        "Exhausted property tokens for a project per property per hour. These quota tokens will return in under an "
        "hour. To learn more, see https://developers.google.com/analytics/devguides/reporting/data/v1/quotas",
    )


Line = tuple[tuple[str, ...], list[int]]


@dataclass(frozen=True)
class Question:
    """What a report is asked for."""

    dimensions: list[str]
    metrics: list[str]
    first: date
    last: date
    offset: int
    limit: int


def _rows(found: Property, asked: Question, now: int) -> tuple[list[Line], list[Report]]:
    sums: dict[tuple[str, ...], list[int]] = {}
    days = [asked.first + timedelta(n) for n in range((asked.last - asked.first).days + 1)]
    reports = [(day, found.report(day, now)) for day in days]
    for day, report in reports:
        for visit in report.visits:
            key = tuple(DIMENSIONS[name](day, visit) for name in asked.dimensions)
            line = sums.setdefault(key, [0] * len(asked.metrics))
            for place, name in enumerate(asked.metrics):
                line[place] += METRICS[name][1](visit)
    # Rows of zeros are left out unless requested.
    return [(key, line) for key, line in sums.items() if any(line)], [report for _, report in reports]


def _sort(rows: list[Line], orders: list[dict[str, Any]], asked: Question) -> None:
    """Sort by the requested orders, the first one first; without any by the first metric, as Google does."""
    for order in reversed(orders or [{"metric": {"metricName": asked.metrics[0]}, "desc": True}]):
        descending = bool(order.get("desc"))
        name = order.get("dimension", {}).get("dimensionName") or order.get("metric", {}).get("metricName")
        if name in asked.dimensions:
            place = asked.dimensions.index(name)
            rows.sort(key=lambda row: row[0][place], reverse=descending)
        elif name in asked.metrics:
            place = asked.metrics.index(name)
            rows.sort(key=lambda row: row[1][place], reverse=descending)
        else:
            raise _invalid(f"Field {name} in orderBys is not part of the request.")


def _render(found: Property, asked: Question, rows: list[Line], reports: list[Report]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"currencyCode": found.currency, "timeZone": found.time_zone}
    if any(report.is_thresholded for report in reports):
        metadata["subjectToThresholding"] = True
    if any(report.has_other_row for report in reports):
        metadata["dataLossFromOtherRow"] = True
    payload: dict[str, Any] = {
        "dimensionHeaders": [{"name": name} for name in asked.dimensions],
        "metricHeaders": [{"name": name, "type": METRICS[name][0]} for name in asked.metrics],
        "rows": [
            {
                "dimensionValues": [{"value": value} for value in key],
                "metricValues": [{"value": str(value)} for value in line],
            }
            for key, line in rows[asked.offset : asked.offset + asked.limit]
        ],
        "rowCount": len(rows),
        "metadata": metadata,
        "kind": "analyticsData#runReport",
    }
    if not asked.dimensions:
        del payload["dimensionHeaders"]
    # Empty and zero values are not written at all.
    for name in ("rows", "rowCount"):
        if not payload[name]:
            del payload[name]
    return payload


VERSION = rf"/(?P<version>{'|'.join(VERSIONS)})"
ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", r"/oauth2/v4/token", give_token),
    ("POST", VERSION + r"/properties/(?P<property>[^/:]+):runReport", run_report),
)


# --- what faults need to know ---------------------------------------------------------------------------------------


def stream_of(world: World, call: Call) -> str | None:
    if not call.path.endswith(":runReport"):
        return None
    return "sessions" if call.json.get("dimensions") else "properties"


def is_later_page(call: Call) -> bool:
    return int(call.json.get("offset", 0) or 0) > 0


def rows_of(payload: Any) -> list[Any] | None:
    return payload.get("rows") if isinstance(payload, dict) else None


def hollow(call: Call, payload: Any) -> Any:
    """The answer as an empty page that is not the last: the count of all rows stays."""
    return {name: value for name, value in payload.items() if name != "rows"}
