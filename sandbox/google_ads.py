"""Google Ads over REST: tokens, search, searchStream and a subset of GAQL.

Resources: campaign, customer, conversion_action. Money and counts are int64 and therefore strings; rows whose
metrics are all zero do not exist; `search` pages hold 10,000 rows and nobody may ask for another size.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sandbox.ads import AdAccount, Campaign, Figures
from sandbox.clock import day_of
from sandbox.credentials import GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET, GOOGLE_MANAGER_ID, GOOGLE_REFRESH_TOKEN
from sandbox.exchange import Answer, Call, Handler, Refusal, World, decode_cursor, encode_cursor

VENDOR = "google_ads"
NEWEST, OLDEST = 26, 23
MONTHS_OF_DAILY_DATA = 37
# What a customer account answers that was closed: the state, and the error's kind, code and message.
NOT_ENABLED = (
    "PERMISSION_DENIED",
    "authorizationError",
    "CUSTOMER_NOT_ENABLED",
    "The customer account can't be accessed because it is not yet enabled or has been deactivated.",
)


# --- errors ---------------------------------------------------------------------------------------------------------


def failure(
    status: int, state: str, kind: str, code: str, message: str, version: int = NEWEST, **details: Any
) -> dict[str, Any]:
    """The error object of search; searchStream wraps it in an array."""
    error: dict[str, Any] = {"errorCode": {kind: code}, "message": message}
    if details:
        error["details"] = details
    return {
        "error": {
            "code": status,
            "message": {
                400: "Request contains an invalid argument.",
                401: "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or "
                "other valid authentication credential.",
                403: "The caller does not have permission",
                429: "Resource has been exhausted (e.g. check quota).",
            }.get(status, message),
            "status": state,
            "details": [
                {
                    "@type": f"type.googleapis.com/google.ads.googleads.v{version}.errors.GoogleAdsFailure",
                    "errors": [error],
                    "requestId": "sandboxRequest",
                }
            ],
        }
    }


def _refuse(status: int, state: str, kind: str, code: str, message: str) -> Refusal:
    return Refusal(Answer(failure(status, state, kind, code, message), status))


def _invalid(kind: str, code: str, message: str) -> Refusal:
    return _refuse(400, "INVALID_ARGUMENT", kind, code, message)


# --- tokens ---------------------------------------------------------------------------------------------------------


def give_token(world: World, call: Call, _: dict[str, str]) -> Answer:
    """POST /token (oauth2.googleapis.com): refresh tokens only."""
    form = call.form
    if form.get("grant_type") != "refresh_token":
        return Answer(
            {"error": "unsupported_grant_type", "error_description": f"Invalid grant_type: {form.get('grant_type')}"},
            400,
        )
    if (form.get("client_id"), form.get("client_secret")) != (GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET):
        return Answer({"error": "invalid_client", "error_description": "Unauthorized"}, 401)
    if form.get("refresh_token") != GOOGLE_REFRESH_TOKEN:
        return Answer({"error": "invalid_grant", "error_description": "Token has been expired or revoked."}, 400)
    return Answer(
        {
            "access_token": world.issue_token(VENDOR, "ya29.sandbox-"),
            "expires_in": world.settings.token_seconds - 1,
            "scope": "https://www.googleapis.com/auth/adwords",
            "token_type": "Bearer",
        }
    )


def _authorize(world: World, call: Call, version: int) -> None:
    if not world.knows_token(VENDOR, call.bearer):
        code = "OAUTH_TOKEN_EXPIRED" if call.bearer in world.tokens else "OAUTH_TOKEN_INVALID"
        raise _refuse(401, "UNAUTHENTICATED", "authenticationError", code, "The OAuth access token is not valid.")
    if version < OLDEST and not world.settings.accept_sunset_versions:
        raise _invalid(
            "requestError",
            "UNSUPPORTED_VERSION",
            f" Version v{version} is deprecated. Requests to this version will be blocked.",
        )
    if version > NEWEST:
        raise Refusal(
            Answer(status=404, text="<html><title>Error 404 (Not Found)!!1</title></html>", content_type="text/html")
        )


def _customer(world: World, call: Call, customer_id: str) -> AdAccount:
    if not re.fullmatch(r"\d{10}", customer_id):
        raise _invalid("requestError", "INVALID_CUSTOMER_ID", f"Invalid customer ID '{customer_id}'.")
    manager = call.headers.get("login-customer-id")
    for account in world.scenario.accounts(VENDOR):
        if account.id == customer_id and manager in (None, "", customer_id, GOOGLE_MANAGER_ID):
            if account.is_closed(call.now):
                raise _refuse(403, *NOT_ENABLED)
            return account
    raise _refuse(
        403,
        "PERMISSION_DENIED",
        "authorizationError",
        "USER_PERMISSION_DENIED",
        "User doesn't have permission to access customer. Note: If you're accessing a client customer, the manager's "
        "customer id must be set in the 'login-customer-id' header.",
    )


# --- GAQL -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One thing a query may select from: a customer, maybe a campaign, maybe a day with figures."""

    account: AdAccount
    now: int
    campaign: Campaign | None = None
    day: date | None = None
    figures: Figures | None = None
    action: dict[str, Any] | None = None


def _figure(read: Callable[[Figures], Any]) -> Callable[[Row], Any]:
    return lambda row: read(row.figures) if row.figures else None


CUSTOMER_FIELDS: dict[str, Callable[[Row], Any]] = {
    "customer.resource_name": lambda row: f"customers/{row.account.id}",
    "customer.id": lambda row: row.account.id,
    "customer.descriptive_name": lambda row: row.account.name,
    "customer.currency_code": lambda row: row.account.currency,
    "customer.time_zone": lambda row: row.account.time_zone,
    "customer.manager": lambda row: False,
    "customer.status": lambda row: "ENABLED",
}
CAMPAIGN_FIELDS: dict[str, Callable[[Row], Any]] = {
    "campaign.resource_name": lambda row: f"customers/{row.account.id}/campaigns/{row.campaign.id}",  # type: ignore[union-attr]
    "campaign.id": lambda row: row.campaign.id,  # type: ignore[union-attr]
    "campaign.name": lambda row: row.campaign.name_at(row.now),  # type: ignore[union-attr]
    "campaign.status": lambda row: row.campaign.status_at(row.now),  # type: ignore[union-attr]
    "campaign.advertising_channel_type": lambda row: row.campaign.kind,  # type: ignore[union-attr]
}
SEGMENT_FIELDS: dict[str, Callable[[Row], Any]] = {
    "segments.date": lambda row: row.day.isoformat() if row.day else None,
}
METRIC_FIELDS: dict[str, Callable[[Row], Any]] = {
    "metrics.cost_micros": _figure(lambda figures: str(figures.spend_cents * 10_000)),
    "metrics.impressions": _figure(lambda figures: str(figures.impressions)),
    "metrics.clicks": _figure(lambda figures: str(figures.clicks)),
    "metrics.conversions": _figure(lambda figures: float(figures.conversions)),
    "metrics.conversions_value": _figure(lambda figures: float(figures.conversions_value)),
    "metrics.all_conversions": _figure(lambda figures: float(figures.conversions)),
    "metrics.all_conversions_value": _figure(lambda figures: float(figures.conversions_value)),
    "metrics.ctr": _figure(lambda figures: figures.clicks / figures.impressions if figures.impressions else 0.0),
}
ACTION_FIELDS: dict[str, Callable[[Row], Any]] = {
    "conversion_action.resource_name": lambda row: f"customers/{row.account.id}/conversionActions/{row.action['id']}",  # type: ignore[index]
    "conversion_action.id": lambda row: row.action["id"],  # type: ignore[index]
    "conversion_action.name": lambda row: row.action["name"],  # type: ignore[index]
    "conversion_action.type": lambda row: row.action["type"],  # type: ignore[index]
    "conversion_action.status": lambda row: row.action["status"],  # type: ignore[index]
    "conversion_action.click_through_lookback_window_days": lambda row: str(row.action["click"]),  # type: ignore[index]
    "conversion_action.view_through_lookback_window_days": lambda row: str(row.action["view"]),  # type: ignore[index]
}
RESOURCES = {
    "customer": CUSTOMER_FIELDS | SEGMENT_FIELDS | METRIC_FIELDS,
    "campaign": CUSTOMER_FIELDS | CAMPAIGN_FIELDS | SEGMENT_FIELDS | METRIC_FIELDS,
    "conversion_action": CUSTOMER_FIELDS | ACTION_FIELDS,
}
EVERY_FIELD = CUSTOMER_FIELDS | CAMPAIGN_FIELDS | SEGMENT_FIELDS | METRIC_FIELDS | ACTION_FIELDS
NUMERIC_FIELDS = {"campaign.id", "customer.id", "conversion_action.id", *METRIC_FIELDS}

QUERY = re.compile(
    r"^\s*SELECT\s+(?P<select>.+?)\s+FROM\s+(?P<resource>\w+)"
    r"(?:\s+WHERE\s+(?P<where>.+?))?(?:\s+ORDER\s+BY\s+(?P<order>.+?))?"
    r"(?:\s+LIMIT\s+(?P<limit>\S+))?(?:\s+PARAMETERS\s+(?P<parameters>.+?))?\s*;?\s*$",
    re.IGNORECASE | re.DOTALL,
)
CONDITION = re.compile(
    r"(?P<field>[a-z_.]+)\s*(?:"
    r"(?P<between>BETWEEN)\s+(?P<low>'[^']*'|\"[^\"]*\"|\S+)\s+AND\s+(?P<high>'[^']*'|\"[^\"]*\"|\S+)"
    r"|DURING\s+(?P<during>\w+)"
    r"|(?P<member>NOT\s+IN|IN)\s*\((?P<members>[^)]*)\)"
    r"|(?P<operator>!=|>=|<=|=|>|<)\s*(?P<value>'[^']*'|\"[^\"]*\"|\S+)"
    r")",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Query:
    fields: tuple[str, ...]
    resource: str
    conditions: tuple[Callable[[Row], bool], ...]
    from_day: date | None
    to_day: date | None
    order: tuple[tuple[str, bool], ...]
    limit: int | None

    @property
    def wants_days(self) -> bool:
        return "segments.date" in self.fields

    @property
    def wants_metrics(self) -> bool:
        return any(name in METRIC_FIELDS for name in self.fields)

    @property
    def field_mask(self) -> str:
        return ",".join(_camel(name) for name in self.fields)


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)


def _unquote(text: str) -> str:
    return text[1:-1] if len(text) >= 2 and text[0] in "'\"" and text[-1] == text[0] else text


def _day(text: str) -> date:
    """A date as GAQL takes it: quoted, with dashes or without."""
    inner = _unquote(text)
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}|\d{8}", inner):
            return date.fromisoformat(inner)
    except ValueError:
        pass
    raise _invalid("queryError", "INVALID_DATE_FORMAT", f"Invalid date format '{inner}'. Expected 'YYYY-MM-DD'.")


def _during(name: str, today: date) -> tuple[date, date]:
    ranges = {
        "TODAY": (today, today),
        "YESTERDAY": (today - timedelta(1), today - timedelta(1)),
        "LAST_7_DAYS": (today - timedelta(7), today - timedelta(1)),
        "LAST_14_DAYS": (today - timedelta(14), today - timedelta(1)),
        "LAST_30_DAYS": (today - timedelta(30), today - timedelta(1)),
    }
    if name.upper() not in ranges:
        raise _invalid(
            "queryError", "INVALID_VALUE_WITH_DURING_OPERATOR", f"Invalid date literal supplied for DURING: {name}."
        )
    return ranges[name.upper()]


def parse(text: str, today: date) -> Query:
    """Read a query; what the vendor would refuse is refused in its words."""
    found = QUERY.match(text)
    if not found:
        code = "EXPECTED_FROM" if re.match(r"^\s*SELECT\b", text, re.IGNORECASE) else "EXPECTED_SELECT"
        raise _invalid("queryError", code, f"Error in query: {code.lower().replace('_', ' ')}.")
    resource = found["resource"].lower()
    if resource not in RESOURCES:
        raise _invalid(
            "queryError",
            "BAD_RESOURCE_TYPE_IN_FROM_CLAUSE",
            f"The FROM clause names an unknown resource: '{resource}'.",
        )
    known = RESOURCES[resource]
    fields = tuple(part.strip() for part in found["select"].split(","))
    for name in fields:
        if name not in EVERY_FIELD:
            raise _invalid("queryError", "UNRECOGNIZED_FIELD", f"Unrecognized field in the query: '{name}'.")
        if name not in known:
            raise _invalid(
                "queryError",
                "PROHIBITED_RESOURCE_TYPE_IN_SELECT_CLAUSE",
                f"Cannot select field '{name}' with resource '{resource}'.",
            )
    from_day: date | None = None
    to_day: date | None = None
    conditions: list[Callable[[Row], bool]] = []
    for condition in _conditions(found["where"]):
        name = condition["field"]
        if name not in known:
            raise _invalid("queryError", "UNRECOGNIZED_FIELD", f"Unrecognized field in the query: '{name}'.")
        if name == "segments.date":
            low, high = _date_range(condition, today)
            from_day = low if from_day is None or (low and low > from_day) else from_day
            to_day = high if to_day is None or (high and high < to_day) else to_day
        else:
            conditions.append(_predicate(condition, known[name], name in NUMERIC_FIELDS))
    if from_day and to_day and from_day > to_day:
        raise _invalid("queryError", "DATE_RANGE_TOO_NARROW", "Date range start is after its end.")
    if "segments.date" in fields and (from_day is None or to_day is None):
        raise _invalid(
            "queryError",
            "EXPECTED_FILTERS_ON_DATE_RANGE",
            "Expected filters on the following field as it appears in the SELECT clause: 'segments.date'.",
        )
    limit = found["limit"]
    if limit is not None and (not limit.isdigit() or int(limit) < 1):
        raise _invalid("queryError", "BAD_LIMIT_VALUE", f"Invalid LIMIT value: '{limit}'.")
    return Query(
        fields,
        resource,
        tuple(conditions),
        from_day,
        to_day,
        tuple(_order(found["order"], fields)),
        int(limit) if limit else None,
    )


def _conditions(where: str | None) -> Iterator[re.Match[str]]:
    rest = (where or "").strip()
    while rest:
        found = CONDITION.match(rest)
        if not found:
            raise _invalid("queryError", "BAD_OPERATOR", f"Error in query: unexpected input '{rest[:40]}'.")
        yield found
        rest = rest[found.end() :].strip()
        if rest:
            if not re.match(r"AND\s", rest, re.IGNORECASE):
                raise _invalid("queryError", "UNEXPECTED_INPUT", f"Error in query: unexpected input '{rest[:40]}'.")
            rest = rest[3:].strip()


def _date_range(condition: re.Match[str], today: date) -> tuple[date | None, date | None]:
    if condition["between"]:
        return _day(condition["low"]), _day(condition["high"])
    if condition["during"]:
        return _during(condition["during"], today)
    if condition["member"]:
        raise _invalid("queryError", "BAD_OPERATOR", "Operator IN cannot be used with 'segments.date'.")
    day = _day(condition["value"])
    one = timedelta(1)
    return {
        "=": (day, day),
        ">=": (day, None),
        ">": (day + one, None),
        "<=": (None, day),
        "<": (None, day - one),
    }.get(condition["operator"], (None, None))


def _predicate(condition: re.Match[str], read: Callable[[Row], Any], numeric: bool) -> Callable[[Row], bool]:
    def typed(text: Any) -> Any:
        return float(text) if numeric else str(text)

    def wanted(text: str) -> Any:
        try:
            return typed(_unquote(text.strip()))
        except ValueError:
            raise _invalid("queryError", "BAD_NUMBER", f"Invalid number: {text}.") from None

    if condition["member"]:
        members = {wanted(part) for part in condition["members"].split(",") if part.strip()}
        negated = condition["member"].upper().startswith("NOT")
        return lambda row: (typed(read(row)) in members) != negated
    if condition["between"] or condition["during"]:
        raise _invalid("queryError", "BAD_OPERATOR", f"Operator cannot be used with '{condition['field']}'.")
    value = wanted(condition["value"])
    compare: dict[str, Callable[[Any, Any], bool]] = {
        "=": lambda a, b: a == b,
        "!=": lambda a, b: a != b,
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
    }
    check = compare[condition["operator"]]
    return lambda row: check(typed(read(row)), value)


def _order(text: str | None, fields: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    for part in (text or "").split(","):
        words = part.split()
        if not words:
            continue
        if words[0] not in fields:
            raise _invalid(
                "queryError",
                "EXPECTED_REFERENCED_FIELD_IN_SELECT_CLAUSE",
                f"The following field must be present in SELECT clause: '{words[0]}'.",
            )
        yield words[0], len(words) > 1 and words[1].upper() == "DESC"


# --- rows -----------------------------------------------------------------------------------------------------------


def _first_daily_day(today: date) -> date:
    months = today.year * 12 + today.month - 1 - MONTHS_OF_DAILY_DATA
    return date(months // 12, months % 12 + 1, 1)


def _rows(world: World, account: AdAccount, query: Query, now: int) -> Iterator[Row]:
    today = day_of(now, account.time_zone)
    if query.resource == "conversion_action":
        for action in world.scenario.conversion_actions:
            yield Row(account, now, action=action)
        return
    campaigns = account.campaigns
    if query.wants_days and query.from_day and query.to_day:
        if query.from_day < _first_daily_day(today):
            raise _invalid(
                "dateRangeError",
                "REQUESTED_DATE_GRANULARITY_NOT_SUPPORTED",
                f"Daily data is kept for {MONTHS_OF_DAILY_DATA} months; {query.from_day} is too old.",
            )
        day = query.from_day
        while day <= min(query.to_day, today):
            if query.resource == "customer":
                if total := _sum([account.report(campaign, day, now) for campaign in campaigns]):
                    yield Row(account, now, day=day, figures=total)
            else:
                for campaign in campaigns:
                    if figures := account.report(campaign, day, now):
                        yield Row(account, now, campaign, day, figures)
            day += timedelta(1)
        return
    if query.wants_metrics:
        last = query.to_day or today
        for group in [campaigns] if query.resource == "customer" else [[campaign] for campaign in campaigns]:
            first = query.from_day or min((campaign.first_day for campaign in group), default=today)
            days = [first + timedelta(n) for n in range((min(last, today) - first).days + 1)]
            if total := _sum([account.report(campaign, day, now) for campaign in group for day in days]):
                yield Row(account, now, None if query.resource == "customer" else group[0], figures=total)
        return
    if query.resource == "customer":
        yield Row(account, now)
        return
    for campaign in campaigns:
        if campaign.is_listed(now):
            yield Row(account, now, campaign)


def _sum(parts: list[Figures | None]) -> Figures | None:
    shown = [part for part in parts if part]
    if not shown:
        return None
    return Figures(
        sum(part.spend_cents for part in shown),
        sum(part.impressions for part in shown),
        sum(part.clicks for part in shown),
        sum(part.conversions for part in shown),
        sum(part.conversions_value for part in shown),
    )


def _render(row: Row, query: Query) -> dict[str, Any]:
    names = list(query.fields)
    # Resource names come along unasked for each resource that a query touches.
    for resource in ("customer", "campaign", "conversion_action"):
        if any(name.startswith(f"{resource}.") for name in names) or resource == query.resource:
            names.append(f"{resource}.resource_name")
    rendered: dict[str, Any] = {}
    for name in names:
        resource, _, leaf = name.partition(".")
        value = EVERY_FIELD[name](row)
        if value is not None:
            rendered.setdefault(_camel(resource), {})[_camel(leaf)] = value
    return rendered


def run(world: World, account: AdAccount, text: str, now: int) -> tuple[Query, list[dict[str, Any]]]:
    """All rows a query yields, rendered."""
    query = parse(text, day_of(now, account.time_zone))
    rows = [row for row in _rows(world, account, query, now) if all(holds(row) for holds in query.conditions)]
    for name, descending in reversed(query.order):
        read = EVERY_FIELD[name]
        rows.sort(key=lambda row: float(read(row)) if name in NUMERIC_FIELDS else read(row), reverse=descending)
    return query, [_render(row, query) for row in rows[: query.limit]]


# --- endpoints ------------------------------------------------------------------------------------------------------


def _body(call: Call) -> dict[str, Any]:
    try:
        body = call.json
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refusal(
            Answer(
                {"error": {"code": 400, "message": "Invalid JSON payload received.", "status": "INVALID_ARGUMENT"}}, 400
            )
        )
    for name in body:
        if name not in ("query", "pageToken", "pageSize", "validateOnly", "searchSettings", "summaryRowSetting"):
            raise Refusal(
                Answer(
                    {
                        "error": {
                            "code": 400,
                            "message": f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.',
                            "status": "INVALID_ARGUMENT",
                        }
                    },
                    400,
                )
            )
    if not body.get("query"):
        raise _invalid("queryError", "UNEXPECTED_END_OF_QUERY", "Error in query: the query is empty.")
    return body


def search(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """POST /vN/customers/{id}/googleAds:search: one object with at most 10,000 rows."""
    _authorize(world, call, int(parts["version"]))
    account = _customer(world, call, parts["customer"])
    body = _body(call)
    if "pageSize" in body:
        raise _invalid(
            "requestError", "PAGE_SIZE_NOT_SUPPORTED", "Setting the page size is not supported. Page size is fixed."
        )
    query, rows = run(world, account, body["query"], call.now)
    start = 0
    if token := body.get("pageToken"):
        try:
            start = decode_cursor(token)[0]
        except ValueError:
            raise _invalid("requestError", "INVALID_PAGE_TOKEN", "Page token is invalid.") from None
    size = world.settings.google_page_size
    payload: dict[str, Any] = {"results": rows[start : start + size]}
    if start + size < len(rows):
        payload["nextPageToken"] = encode_cursor(start + size)
    payload["fieldMask"] = query.field_mask
    payload["queryResourceConsumption"] = str(200 + len(rows))
    return Answer(payload)


def search_stream(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """POST /vN/customers/{id}/googleAds:searchStream: an array of batches; errors come in an array too."""
    try:
        _authorize(world, call, int(parts["version"]))
        account = _customer(world, call, parts["customer"])
        query, rows = run(world, account, _body(call)["query"], call.now)
    except Refusal as refusal:
        if refusal.answer.payload is not None:
            refusal.answer.payload = [refusal.answer.payload]
        raise
    size = world.settings.google_page_size
    request_id = f"sandbox-{world.number('google request')}"
    batches = [
        {"results": rows[start : start + size], "fieldMask": query.field_mask, "requestId": request_id}
        for start in range(0, len(rows), size)
    ]
    if not batches:
        batches = [{"results": [], "fieldMask": query.field_mask, "requestId": request_id}]
        del batches[0]["results"]
    batches[-1]["queryResourceConsumption"] = str(200 + len(rows))
    return Answer(batches)


def list_customers(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET /vN/customers:listAccessibleCustomers."""
    _authorize(world, call, int(parts["version"]))
    return Answer({"resourceNames": [f"customers/{account.id}" for account in world.scenario.accounts(VENDOR)]})


ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", r"/token", give_token),
    ("POST", r"/v(?P<version>\d+)/customers/(?P<customer>[^/]+)/googleAds:search", search),
    ("POST", r"/v(?P<version>\d+)/customers/(?P<customer>[^/]+)/googleAds:searchStream", search_stream),
    ("GET", r"/v(?P<version>\d+)/customers:listAccessibleCustomers", list_customers),
)


# --- what faults need to know ---------------------------------------------------------------------------------------


def stream_of(world: World, call: Call) -> str | None:
    if "googleAds:search" not in call.path:
        return None
    return "campaign_stats" if b"segments.date" in call.body else "campaigns"


def is_later_page(call: Call) -> bool:
    return b'"pageToken"' in call.body


def rows_of(payload: Any) -> list[Any] | None:
    batch = payload[0] if isinstance(payload, list) and payload else payload
    return batch.get("results") if isinstance(batch, dict) else None


def hollow(call: Call, payload: Any) -> Any:
    """The answer with an empty page in its middle."""
    if isinstance(payload, list):
        empty = {"results": [], **{key: payload[0][key] for key in ("fieldMask", "requestId")}}
        rows = payload[0].get("results", [])
        middle = len(rows) // 2
        first = {**payload[0], "results": rows[:middle]}
        return [first, empty, {**payload[0], "results": rows[middle:]}, *payload[1:]]
    offset, spelling = decode_cursor(call.json["pageToken"])
    return {**payload, "results": [], "nextPageToken": encode_cursor(offset, spelling + 1)}
