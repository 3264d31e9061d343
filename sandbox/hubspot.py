"""HubSpot: CRM objects (search, list, batch read, one), associations, owners, pipelines, properties, events, OAuth.

Every endpoint answers on its dated path (2026-09, 2026-03) and on its v3/v4 path. Values are strings or null. Search
knows neither archived records nor associations and ends at 10,000; merged contacts vanish into their survivor, which
lists them.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from typing import Any

from sandbox.clock import iso, moment
from sandbox.credentials import HUBSPOT_CLIENT_ID, HUBSPOT_CLIENT_SECRET, HUBSPOT_REFRESH_TOKEN, HUBSPOT_TOKEN
from sandbox.exchange import Answer, Call, Handler, Refusal, World
from sandbox.records import State

VENDOR = "hubspot"
SEARCH_LIMIT, LIST_LIMIT, HISTORY_LIMIT, BATCH_LIMIT, OWNERS_LIMIT, EVENTS_LIMIT = 200, 100, 50, 100, 500, 1_000
SEARCHES_PER_SECOND, CALLS_PER_TEN_SECONDS = 5, 190
MIGRATED = moment("2025-01-01")

OBJECT_TYPES = {
    **dict.fromkeys(("contacts", "contact", "0-1"), "contacts"),
    **dict.fromkeys(("companies", "company", "0-2"), "companies"),
    **dict.fromkeys(("deals", "deal", "0-3"), "deals"),
    **dict.fromkeys(("line_items", "line_item", "0-8"), "line_items"),
    **dict.fromkeys(("calls", "call", "0-48"), "calls"),
    **dict.fromkeys(("emails", "email", "0-49"), "emails"),
    **dict.fromkeys(("meetings", "meeting", "0-47"), "meetings"),
}
ENGAGEMENTS = ("calls", "emails", "meetings")
MODIFIED = {
    "contacts": "lastmodifieddate",
    **dict.fromkeys(("companies", "deals", "line_items", *ENGAGEMENTS), "hs_lastmodifieddate"),
}
DEFAULTS = {
    "contacts": ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"),
    "companies": ("createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"),
    "deals": (
        "amount",
        "closedate",
        "createdate",
        "dealname",
        "dealstage",
        "hs_lastmodifieddate",
        "hs_object_id",
        "pipeline",
    ),
    "line_items": ("amount", "createdate", "hs_lastmodifieddate", "hs_object_id", "hs_product_id", "quantity"),
    # Of engagements HubSpot answers with nothing but the times, unless asked.
    **dict.fromkeys(ENGAGEMENTS, ("hs_createdate", "hs_lastmodifieddate", "hs_object_id")),
}
SHARED_PROPERTIES = {
    "createdate": "datetime",
    "hs_object_id": "number",
    "hubspot_owner_id": "enumeration",
    "hs_merged_object_ids": "enumeration",
}
PROPERTIES: dict[str, dict[str, str]] = {
    "contacts": {
        **SHARED_PROPERTIES,
        "lastmodifieddate": "datetime",
        "email": "string",
        "firstname": "string",
        "lastname": "string",
        "phone": "string",
        "country": "string",
        "company": "string",
        "lifecyclestage": "enumeration",
        "hs_lead_status": "enumeration",
        "hs_analytics_source": "enumeration",
        "hs_analytics_first_timestamp": "datetime",
        "utm_source": "string",
        "utm_medium": "string",
        "utm_campaign": "string",
        "utm_id": "string",
        "associatedcompanyid": "number",
        "salesforceleadid": "string",
        "salesforcecontactid": "string",
    },
    "companies": {
        **SHARED_PROPERTIES,
        "hs_lastmodifieddate": "datetime",
        "name": "string",
        "domain": "string",
        "country": "string",
        "industry": "enumeration",
        "numberofemployees": "number",
        "salesforceaccountid": "string",
    },
    "deals": {
        **SHARED_PROPERTIES,
        "hs_lastmodifieddate": "datetime",
        "dealname": "string",
        "amount": "number",
        "deal_currency_code": "enumeration",
        "dealstage": "enumeration",
        "pipeline": "enumeration",
        "dealtype": "enumeration",
        "closed_lost_reason": "string",
        "closedate": "datetime",
        "hs_is_closed": "bool",
        "hs_is_closed_won": "bool",
        "hs_deal_stage_probability": "number",
        "hs_primary_associated_company": "number",
        "hs_salesforceopportunityid": "string",
    },
    "line_items": {
        **SHARED_PROPERTIES,
        "hs_lastmodifieddate": "datetime",
        "hs_product_id": "number",
        "hs_sku": "string",
        "name": "string",
        "quantity": "number",
        "price": "number",
        "hs_discount_percentage": "number",
        "amount": "number",
        "hs_line_item_currency_code": "enumeration",
    },
    "calls": {
        **SHARED_PROPERTIES,
        "hs_createdate": "datetime",
        "hs_lastmodifieddate": "datetime",
        "hs_timestamp": "datetime",
        "hs_call_title": "string",
        "hs_call_direction": "enumeration",
        "hs_call_status": "enumeration",
    },
    "emails": {
        **SHARED_PROPERTIES,
        "hs_createdate": "datetime",
        "hs_lastmodifieddate": "datetime",
        "hs_timestamp": "datetime",
        "hs_email_subject": "string",
        "hs_email_direction": "enumeration",
        "hs_email_status": "enumeration",
    },
    "meetings": {
        **SHARED_PROPERTIES,
        "hs_createdate": "datetime",
        "hs_lastmodifieddate": "datetime",
        "hs_timestamp": "datetime",
        "hs_meeting_title": "string",
        "hs_meeting_start_time": "datetime",
        "hs_meeting_end_time": "datetime",
        "hs_meeting_outcome": "enumeration",
    },
}
STAGES = (
    ("appointmentscheduled", "Appointment Scheduled", "0.2"),
    ("qualifiedtobuy", "Qualified To Buy", "0.4"),
    ("presentationscheduled", "Presentation Scheduled", "0.6"),
    ("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
    ("closedwon", "Closed Won", "1.0"),
    ("closedlost", "Closed Lost", "0.0"),
)
PROBABILITIES = {stage: probability for stage, _, probability in STAGES}
EVENT_TYPES = (
    "e_clicked_link_in_email_v2",
    "e_form_submission_v2",
    "e_opened_email_v2",
    "e_replied_email_v2",
    "e_visited_page",
    "pe4242_ad_landing_visit",
    "pe4242_trade_show_visited",
    "pe4242_webinar_attended",
)
# (type id, name on v3 lists) of the unlabelled association; numbers of HubSpot's documentation.
ASSOCIATION_TYPES = {
    ("contacts", "companies"): (279, "contact_to_company_unlabeled"),
    ("companies", "contacts"): (280, "company_to_contact_unlabeled"),
    ("deals", "companies"): (341, "deal_to_company_unlabeled"),
    ("companies", "deals"): (342, "company_to_deal_unlabeled"),
    ("deals", "contacts"): (3, "deal_to_contact"),
    ("contacts", "deals"): (4, "contact_to_deal"),
    ("deals", "line_items"): (19, "deal_to_line_item"),
    ("line_items", "deals"): (20, "line_item_to_deal"),
    ("contacts", "calls"): (193, "contact_to_call"),
    ("calls", "contacts"): (194, "call_to_contact"),
    ("contacts", "emails"): (197, "contact_to_email"),
    ("emails", "contacts"): (198, "email_to_contact"),
    ("contacts", "meetings"): (199, "contact_to_meeting"),
    ("meetings", "contacts"): (200, "meeting_event_to_contact"),
}
# A record's first company is its primary one too, under a type of its own.
PRIMARY_TYPES = {
    ("contacts", "companies"): (1, "contact_to_company"),
    ("companies", "contacts"): (2, "company_to_contact"),
    ("deals", "companies"): (5, "deal_to_company"),
    ("companies", "deals"): (6, "company_to_deal"),
}
# Labels that this portal's users made for a deal's contacts.
LABEL_TYPES = {"Primary": 11, "Evaluator": 13}
ASSOCIATION_BATCH_LIMIT, ASSOCIATION_PAGE = 1_000, 500


# --- errors, authentication, limits ---------------------------------------------------------------------------------


def correlation_id(number: int) -> str:
    return str(uuid.UUID(int=0x5A4DB0C5_0000_4000_8000_000000000000 + number))


def error(status: int, message: str, category: str, number: int = 0, **more: Any) -> Answer:
    return Answer(
        {
            "status": "error",
            "message": message,
            "correlationId": correlation_id(number),
            "category": category,
            **more,
        },
        status,
    )


def rate_limit(policy: str, number: int = 0) -> Answer:
    words = {"SECONDLY": "secondly", "TEN_SECONDLY_ROLLING": "ten_secondly_rolling", "DAILY": "daily"}[policy]
    return Answer(
        {
            "status": "error",
            "message": f"You have reached your {words} limit.",
            "errorType": "RATE_LIMIT",
            "correlationId": correlation_id(number),
            "policyName": policy,
        },
        429,
    )


def _authorize(world: World, call: Call, is_search: bool = False) -> None:
    token = call.bearer
    number = world.number("hubspot request")
    if token is None:
        raise Refusal(
            error(
                401,
                "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find "
                "more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
                "INVALID_AUTHENTICATION",
                number,
            )
        )
    if token in world.tokens and not world.knows_token(VENDOR, token):
        raise Refusal(error(401, "The OAuth token used to make this call expired.", "EXPIRED_AUTHENTICATION", number))
    if token != HUBSPOT_TOKEN and token not in world.tokens:
        raise Refusal(
            error(
                401,
                "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find "
                "more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
                "INVALID_AUTHENTICATION",
                number,
            )
        )
    if world.settings.rate_limits:
        if is_search and world.exceeds("hubspot search", SEARCHES_PER_SECOND, 1):
            raise Refusal(rate_limit("SECONDLY", number))
        if world.exceeds("hubspot", CALLS_PER_TEN_SECONDS, 10):
            raise Refusal(rate_limit("TEN_SECONDLY_ROLLING", number))


def _invalid(message: str, **more: Any) -> Refusal:
    return Refusal(error(400, message, "VALIDATION_ERROR", **more))


def give_token(world: World, call: Call, _: dict[str, str]) -> Answer:
    """POST /oauth/2026-09/token: refresh_token and client_credentials."""
    form = call.form
    if (form.get("client_id"), form.get("client_secret")) != (HUBSPOT_CLIENT_ID, HUBSPOT_CLIENT_SECRET):
        return Answer(
            {"status": "BAD_CLIENT_ID", "message": "missing or unknown client id", "category": "VALIDATION_ERROR"}, 400
        )
    if form.get("grant_type") == "refresh_token" and form.get("refresh_token") != HUBSPOT_REFRESH_TOKEN:
        return Answer({"status": "BAD_REFRESH_TOKEN", "message": "missing or invalid refresh token"}, 400)
    if form.get("grant_type") not in ("refresh_token", "client_credentials"):
        return Answer({"status": "BAD_GRANT_TYPE", "message": "missing or unknown grant type"}, 400)
    return Answer(
        {
            "token_type": "bearer",
            "access_token": world.issue_token(VENDOR, "CSandbox"),
            "refresh_token": HUBSPOT_REFRESH_TOKEN,
            "expires_in": min(world.settings.token_seconds, 1_800),
            "hub_id": world.scenario.portal_id,
        }
    )


# --- rendering ------------------------------------------------------------------------------------------------------


def value_of(kind: str, state: State, name: str) -> str | None:
    """One property as HubSpot writes it."""
    if name == "hs_object_id":
        return state.id
    if name in ("createdate", "hs_createdate"):
        return iso(state.created)
    if name == MODIFIED[kind]:
        return iso(state.modified)
    if kind == "deals" and name in ("hs_is_closed", "hs_is_closed_won", "hs_deal_stage_probability"):
        stage = state.fields["dealstage"]
        if name == "hs_is_closed":
            return "true" if stage in ("closedwon", "closedlost") else "false"
        if name == "hs_is_closed_won":
            return "true" if stage == "closedwon" else "false"
        return PROBABILITIES[stage]
    if kind == "deals" and name == "hs_primary_associated_company" and state.id.endswith("7"):
        # Cleared by a workflow; the association stays.
        return ""
    value = state.fields.get(name)
    if name == "country" and value is None:
        return ""
    if isinstance(value, int):
        return iso(value)
    # Pasted out of a spreadsheet, with what ends a cell there.
    return f"{value}\x00" if name == "closed_lost_reason" and value else value


def _written(value: Any) -> str:
    if value is None:
        return ""
    return iso(value) if isinstance(value, int) else str(value)


def _history(state: State, name: str) -> list[dict[str, Any]]:
    return [
        {
            "value": _written(value),
            "timestamp": iso(at),
            "sourceType": "AUTOMATION_PLATFORM",
            "sourceId": "enrollmentId:1",
        }
        if at != state.created
        else {"value": _written(value), "timestamp": iso(at), "sourceType": "FORM"}
        for at, value in reversed(state.history(name))
    ]


def render(kind: str, state: State, properties: Iterable[str], histories: Iterable[str] = ()) -> dict[str, Any]:
    """One CRM object. Unknown property names are left out, as HubSpot does; known ones without a value are null."""
    known = PROPERTIES[kind]
    histories = [name for name in histories if name in known]
    asked = [name for name in properties if name in known] or DEFAULTS[kind]
    born = "hs_createdate" if kind in ENGAGEMENTS else "createdate"
    names = dict.fromkeys([*asked, *histories, born, "hs_object_id", MODIFIED[kind]])
    rendered: dict[str, Any] = {
        "id": state.id,
        "properties": {name: value_of(kind, state, name) for name in names},
        "createdAt": iso(state.created),
        "updatedAt": iso(state.modified),
        "archived": state.removed,
    }
    if histories:
        rendered["propertiesWithHistory"] = {name: _history(state, name) for name in histories}
    if state.removed:
        rendered["archivedAt"] = iso(state.record.removed or state.modified)
    return rendered


def _kind(world: World, name: str) -> str:
    if name not in OBJECT_TYPES:
        raise _invalid(f"Unable to infer object type from: {name}")
    return OBJECT_TYPES[name]


def _states(world: World, kind: str, now: int, archived: bool = False) -> list[State]:
    return [
        state for state in world.scenario.hubspot[kind].snapshot(now) if state.removed == archived and not state.merged
    ]


def _resolve(world: World, kind: str, record_id: str, now: int) -> State | None:
    """A record by id; the id of a merged one leads to its survivor."""
    state = world.scenario.hubspot[kind].find(record_id, now)
    while state is not None and state.merged:
        state = world.scenario.hubspot[kind].find(state.fields.get("_survivor", ""), now)
    return state


# --- search ---------------------------------------------------------------------------------------------------------


def _comparable(kind: str, name: str, text: Any) -> Any:
    """A filter or property value in the form its property compares in."""
    data_type = PROPERTIES[kind][name]
    if text is None:
        return None
    if data_type == "datetime":
        text = str(text)
        try:
            return int(text) if text.lstrip("-").isdigit() else moment(text)
        except ValueError:
            raise _invalid(f"Invalid value for datetime property {name}: {text}") from None
    if data_type == "number":
        try:
            return float(text)
        except ValueError:
            raise _invalid(f"Invalid value for number property {name}: {text}") from None
    return str(text).lower()


def _reader(kind: str, name: str) -> Callable[[State], Any]:
    if name == MODIFIED[kind]:
        return lambda state: state.modified
    if name in ("createdate", "hs_createdate"):
        return lambda state: state.created
    if name == "hs_object_id":
        return lambda state: float(state.id)
    return lambda state: _comparable(kind, name, value_of(kind, state, name))


def _filter(kind: str, spec: Any) -> Callable[[State], bool]:
    if not isinstance(spec, dict) or "propertyName" not in spec or "operator" not in spec:
        raise _invalid("Invalid input JSON: a filter needs propertyName and operator")
    name, operator = spec["propertyName"], spec["operator"]
    if name not in PROPERTIES[kind]:
        raise _invalid(
            "There was a problem with the request.",
            errors=[{"message": f"Property '{name}' does not exist", "code": "PROPERTY_DOESNT_EXIST"}],
        )
    read = _reader(kind, name)
    if operator == "HAS_PROPERTY":
        return lambda state: read(state) is not None
    if operator == "NOT_HAS_PROPERTY":
        return lambda state: read(state) is None
    if operator in ("IN", "NOT_IN"):
        if not isinstance(spec.get("values"), list):
            raise _invalid(f"operator {operator} requires values")
        members = {_comparable(kind, name, value) for value in spec["values"]}
        if operator == "IN":
            return lambda state: read(state) in members
        return lambda state: read(state) is not None and read(state) not in members
    if "value" not in spec:
        raise _invalid(f"operator {operator} requires a value")
    value = _comparable(kind, name, spec["value"])
    if operator == "BETWEEN":
        if "highValue" not in spec:
            raise _invalid("operator BETWEEN requires values for both value and highValue")
        high = _comparable(kind, name, spec["highValue"])
        return lambda state: (found := read(state)) is not None and value <= found <= high
    compare: dict[str, Callable[[Any], bool]] = {
        "EQ": lambda found: found == value,
        "NEQ": lambda found: found != value,
        "GT": lambda found: found is not None and found > value,
        "GTE": lambda found: found is not None and found >= value,
        "LT": lambda found: found is not None and found < value,
        "LTE": lambda found: found is not None and found <= value,
        "CONTAINS_TOKEN": lambda found: found is not None and str(value).strip("*") in str(found),
        "NOT_CONTAINS_TOKEN": lambda found: found is None or str(value).strip("*") not in str(found),
    }
    if operator not in compare:
        raise _invalid(f"Invalid input JSON: operator {operator} is not one of {', '.join(compare)}")
    check = compare[operator]
    return lambda state: check(read(state))


def _sorter(kind: str, sorts: Any) -> tuple[Callable[[State], Any], bool]:
    if not sorts:
        return (lambda state: (state.created, int(state.id))), False
    if not isinstance(sorts, list) or len(sorts) > 1:
        raise _invalid("Only one sort is allowed")
    spec = sorts[0]
    if isinstance(spec, dict):
        name, descending = spec.get("propertyName", ""), spec.get("direction") == "DESCENDING"
    else:
        name, descending = str(spec).lstrip("-"), str(spec).startswith("-")
    if name not in PROPERTIES[kind]:
        raise _invalid(f"There was a problem with the request. Property '{name}' does not exist")
    read = _reader(kind, name)

    def key(state: State) -> Any:
        found = read(state)
        return (found is not None, found if found is not None else 0, int(state.id))

    return key, descending


def search(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """POST …/{objectType}/search."""
    _authorize(world, call, is_search=True)
    kind = _kind(world, parts["kind"])
    body = _json(call)
    limit = body.get("limit", 10)
    if not isinstance(limit, int) or isinstance(limit, bool) or not 0 < limit <= SEARCH_LIMIT:
        raise _invalid(f"The limit must be between 1 and {SEARCH_LIMIT}, got {limit}")
    try:
        start = int(body.get("after") or 0)
    except (TypeError, ValueError):
        raise _invalid(f"Invalid input JSON: after is not a number: {body.get('after')}") from None
    groups = body.get("filterGroups") or []
    if len(groups) > 5 or any(len(group.get("filters", ())) > 6 for group in groups):
        raise _invalid("There are too many filters: at most 5 groups of at most 6 filters each")
    tests = [[_filter(kind, spec) for spec in group.get("filters", ())] for group in groups]
    key, descending = _sorter(kind, body.get("sorts"))
    if start + limit > world.settings.hubspot_search_cap:
        raise Refusal(
            error(400, "There was a problem with the request.", "VALIDATION_ERROR", world.number("hubspot request"))
        )
    now = call.now - world.settings.hubspot_search_lag_seconds * 1000
    memo_key = f"search {kind} {world.scenario.hubspot[kind].version(now)} " + repr(
        (groups, body.get("sorts"), body.get("query"))
    )
    matches = world.memo(memo_key, lambda: _matches(world, kind, now, tests, key, descending, body.get("query")))
    page = matches[start : start + limit]
    properties, histories = body.get("properties") or [], body.get("propertiesWithHistory") or []
    payload: dict[str, Any] = {
        "total": len(matches),
        "results": [render(kind, state, properties, histories) for state in page],
    }
    if start + limit < len(matches):
        payload["paging"] = {"next": {"after": str(start + limit)}}
    return Answer(payload)


def _matches(
    world: World,
    kind: str,
    now: int,
    tests: list[list[Callable[[State], bool]]],
    key: Callable[[State], Any],
    descending: bool,
    text: str | None,
) -> list[State]:
    found = [
        state
        for state in _states(world, kind, now)
        if not tests or any(all(test(state) for test in group) for group in tests)
    ]
    if text:
        found = [
            state
            for state in found
            if any(text.lower() in str(value).lower() for value in state.fields.values() if isinstance(value, str))
        ]
    found.sort(key=key, reverse=descending)
    return found


def _json(call: Call) -> dict[str, Any]:
    try:
        body = call.json
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise _invalid("Invalid input JSON on line 1, column 1: the body is not an object")
    return body


# --- list, batch, one -----------------------------------------------------------------------------------------------


def _limit(call: Call, default: int, most: int) -> int:
    text = call.query.get("limit", str(default))
    if not text.isdigit() or not 0 < int(text) <= most:
        raise _invalid(f"The limit must be between 1 and {most}, got {text}")
    return int(text)


def _after(call: Call) -> int:
    text = call.query.get("after", "") or "0"
    if not text.isdigit():
        raise _invalid(f"after is not a valid paging cursor: {text}")
    return int(text)


def list_objects(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET …/{objectType}: by id, 100 a page, 50 with history, archived ones on demand."""
    _authorize(world, call)
    kind = _kind(world, parts["kind"])
    histories = call.query_list("propertiesWithHistory")
    limit = _limit(call, 10, HISTORY_LIMIT if histories else LIST_LIMIT)
    archived = call.query.get("archived", "false").lower() == "true"
    after = _after(call)
    version = world.scenario.hubspot[kind].version(call.now)
    listed = world.memo(
        f"list {kind} {version} {archived}",
        lambda: sorted(_states(world, kind, call.now, archived), key=lambda state: int(state.id)),
    )
    rows = [state for state in listed if int(state.id) > after]
    properties = call.query_list("properties")
    results = [render(kind, state, properties, histories) for state in rows[:limit]]
    if names := call.query_list("associations"):
        for state, rendered in zip(rows, results, strict=False):
            rendered |= _associations_of(world, kind, state, names, call.now)
    payload: dict[str, Any] = {"results": results}
    if len(rows) > limit:
        last = rows[limit - 1].id
        payload["paging"] = {"next": {"after": last, "link": f"{call.base_url}{call.path}?after={last}"}}
    return Answer(payload)


def batch_read(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """POST …/{objectType}/batch/read: at most 100 ids, 50 with history."""
    _authorize(world, call)
    kind = _kind(world, parts["kind"])
    body = _json(call)
    inputs = body.get("inputs") or []
    histories = body.get("propertiesWithHistory") or []
    most = HISTORY_LIMIT if histories else BATCH_LIMIT
    if len(inputs) > most:
        raise _invalid(f"Too many inputs: at most {most} at once, got {len(inputs)}")
    archived = call.query.get("archived", "false").lower() == "true"
    by = body.get("idProperty")
    results, missing = [], []
    for item in inputs:
        wanted = str(item.get("id"))
        if by:
            state = next(
                (one for one in _states(world, kind, call.now, archived) if one.fields.get(by) == wanted), None
            )
        else:
            state = _resolve(world, kind, wanted, call.now)
        if state is None or state.removed != archived:
            missing.append(wanted)
        else:
            results.append(render(kind, state, body.get("properties") or [], histories))
    payload: dict[str, Any] = {
        "status": "COMPLETE",
        "results": results,
        "startedAt": iso(call.now),
        "completedAt": iso(call.now),
    }
    if missing:
        payload["numErrors"] = 1
        payload["errors"] = [
            {
                "status": "error",
                "category": "OBJECT_NOT_FOUND",
                "message": f"Could not get some {kind.upper()} objects, they may be deleted or not exist. "
                "Check that ids are valid.",
                "context": {"ids": missing},
                "errors": [],
                "links": {},
            }
        ]
    return Answer(payload, 207 if missing else 200)


def get_object(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET …/{objectType}/{id}."""
    _authorize(world, call)
    kind = _kind(world, parts["kind"])
    archived = call.query.get("archived", "false").lower() == "true"
    state = _resolve(world, kind, parts["id"], call.now)
    if state is None or state.removed != archived:
        return error(404, "resource not found", "OBJECT_NOT_FOUND", world.number("hubspot request"))
    rendered = render(kind, state, call.query_list("properties"), call.query_list("propertiesWithHistory"))
    return Answer(rendered | _associations_of(world, kind, state, call.query_list("associations"), call.now))


# --- associations ---------------------------------------------------------------------------------------------------


def _linked(world: World, kind: str, state: State, to_kind: str, now: int) -> list[str]:
    """Ids of the live records that a record is associated with; those of merged ones lead to the survivor."""
    tables = world.scenario.hubspot
    if to_kind == "companies" and kind in ("contacts", "deals"):
        company = state.fields.get("associatedcompanyid" if kind == "contacts" else "hs_primary_associated_company")
        return [company] if company else []
    if (kind, to_kind) in (("deals", "contacts"), *((one, "contacts") for one in ENGAGEMENTS)):
        return _live(world, "contacts", state.fields.get("_contacts", ()), now)
    if (kind, to_kind) == ("line_items", "deals"):
        return _live(world, "deals", (state.fields["_deal"],), now)
    if (kind, to_kind) in ASSOCIATION_TYPES:
        others = [one for one in tables[to_kind].snapshot(now) if not one.removed and not one.merged]
        return [one.id for one in others if state.id in _linked(world, to_kind, one, kind, now)]
    return []


def _live(world: World, kind: str, ids: Iterable[str], now: int) -> list[str]:
    found = [_resolve(world, kind, one, now) for one in ids]
    return list(dict.fromkeys(one.id for one in found if one is not None and not one.removed))


def _label(state: State, record_id: str) -> str | None:
    label: str | None = state.fields.get("_labels", {}).get(record_id)
    return label


def _association(kind: str, to_kind: str, state: State, record_id: str) -> dict[str, Any]:
    """One associated record: unlabelled always, and with every label it has. Ids are text, as in HubSpot's files."""
    types: list[dict[str, Any]] = []
    if (kind, to_kind) in PRIMARY_TYPES:
        number, _ = PRIMARY_TYPES[kind, to_kind]
        types.append({"category": "HUBSPOT_DEFINED", "typeId": number, "label": "Primary"})
    if (kind, to_kind) == ("deals", "contacts") and (label := _label(state, record_id)):
        types.append({"category": "USER_DEFINED", "typeId": LABEL_TYPES[label], "label": label})
    types.append({"category": "HUBSPOT_DEFINED", "typeId": ASSOCIATION_TYPES[kind, to_kind][0]})
    return {"toObjectId": record_id, "associationTypes": types}


def _associations_of(world: World, kind: str, state: State, names: Iterable[str], now: int) -> dict[str, Any]:
    """The member `associations` of an object that was read with `associations=`; absent without any."""
    found: dict[str, Any] = {}
    for name in names:
        to_kind = _kind(world, name)
        if (kind, to_kind) not in ASSOCIATION_TYPES:
            raise _invalid(f"{kind} are not associated with {name}")
        words = [types[kind, to_kind][1] for types in (PRIMARY_TYPES, ASSOCIATION_TYPES) if (kind, to_kind) in types]
        linked = [{"id": one, "type": word} for one in _linked(world, kind, state, to_kind, now) for word in words]
        if linked:
            found[to_kind.replace("_", " ")] = {"results": linked}
    return {"associations": found} if found else {}


def list_associations(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET …/{objectType}/{id}/associations/{toObjectType}."""
    _authorize(world, call)
    kind, to_kind = _kind(world, parts["kind"]), _kind(world, parts["to"])
    state = _resolve(world, kind, parts["id"], call.now)
    if state is None:
        return error(404, "resource not found", "OBJECT_NOT_FOUND", world.number("hubspot request"))
    limit, after = _limit(call, ASSOCIATION_PAGE, ASSOCIATION_PAGE), _after(call)
    linked = [one for one in sorted(_linked(world, kind, state, to_kind, call.now), key=int) if int(one) > after]
    payload: dict[str, Any] = {"results": [_association(kind, to_kind, state, one) for one in linked[:limit]]}
    if len(linked) > limit:
        last = linked[limit - 1]
        payload["paging"] = {"next": {"after": last, "link": f"{call.base_url}{call.path}?after={last}"}}
    return Answer(payload)


def batch_associations(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """POST …/associations/{from}/{to}/batch/read: a record without any makes the answer a 207."""
    _authorize(world, call)
    kind, to_kind = _kind(world, parts["kind"]), _kind(world, parts["to"])
    inputs = _json(call).get("inputs") or []
    if len(inputs) > ASSOCIATION_BATCH_LIMIT:
        raise _invalid(f"Too many inputs: at most {ASSOCIATION_BATCH_LIMIT} at once, got {len(inputs)}")
    size = world.settings.hubspot_association_page_size
    results, errors = [], []
    for item in inputs:
        record_id, after = str(item.get("id")), int(item.get("after") or 0)
        state = _resolve(world, kind, record_id, call.now)
        linked = sorted(_linked(world, kind, state, to_kind, call.now), key=int) if state else []
        due = [one for one in linked if int(one) > after]
        if state is None or not linked:
            errors.append(_no_association(kind, to_kind, record_id))
            continue
        result: dict[str, Any] = {
            "from": {"id": record_id},
            "to": [_association(kind, to_kind, state, one) for one in due[:size]],
        }
        if len(due) > size:
            result["paging"] = {"next": {"after": due[size - 1], "link": f"?after={due[size - 1]}"}}
        results.append(result)
    payload: dict[str, Any] = {
        "status": "COMPLETE",
        "results": results,
        "startedAt": iso(call.now),
        "completedAt": iso(call.now),
    }
    if errors:
        payload |= {"numErrors": len(errors), "errors": errors}
    return Answer(payload, 207 if errors else 200)


def _no_association(kind: str, to_kind: str, record_id: str) -> dict[str, Any]:
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "message": f"No {to_kind} are associated with {kind} {record_id}.",
        "context": {"fromObjectId": [record_id], "fromObjectType": [kind], "toObjectType": [to_kind]},
        "errors": [],
        "links": {},
    }


# --- owners, pipelines, properties ----------------------------------------------------------------------------------


def _render_owner(state: State) -> dict[str, Any]:
    fields = state.fields
    rendered = {
        "id": state.id,
        "email": fields["email"],
        "type": "PERSON",
        "firstName": fields["firstName"],
        "lastName": fields["lastName"],
        "userId": None if state.removed else fields["userId"],
        "userIdIncludingInactive": fields["userId"],
        "createdAt": iso(state.created),
        "updatedAt": iso(state.modified),
        "archived": state.removed,
        "teams": [{"id": team, "name": name, "primary": primary} for team, name, primary in fields["teams"]],
    }
    if state.removed:
        del rendered["userId"]
    return rendered


def list_owners(world: World, call: Call, parts: dict[str, str]) -> Answer:
    _authorize(world, call)
    limit, after = _limit(call, 100, OWNERS_LIMIT), _after(call)
    archived = call.query.get("archived", "false").lower() == "true"
    rows = [
        state
        for state in sorted(_states(world, "owners", call.now, archived), key=lambda state: int(state.id))
        if int(state.id) > after and call.query.get("email", state.fields["email"]) == state.fields["email"]
    ]
    payload: dict[str, Any] = {"results": [_render_owner(state) for state in rows[:limit]]}
    if len(rows) > limit:
        payload["paging"] = {"next": {"after": rows[limit - 1].id, "link": f"?after={rows[limit - 1].id}"}}
    return Answer(payload)


def get_owner(world: World, call: Call, parts: dict[str, str]) -> Answer:
    _authorize(world, call)
    state = world.scenario.hubspot["owners"].find(parts["id"], call.now)
    if state is None:
        return error(404, "resource not found", "OBJECT_NOT_FOUND", world.number("hubspot request"))
    return Answer(_render_owner(state))


def list_pipelines(world: World, call: Call, parts: dict[str, str]) -> Answer:
    _authorize(world, call)
    if _kind(world, parts["kind"]) != "deals":
        raise _invalid(f"{parts['kind']} do not have pipelines")
    return Answer({"results": [_pipeline()]})


def get_pipeline(world: World, call: Call, parts: dict[str, str]) -> Answer:
    _authorize(world, call)
    if _kind(world, parts["kind"]) != "deals" or parts["id"] != "default":
        return error(404, "resource not found", "OBJECT_NOT_FOUND", world.number("hubspot request"))
    return Answer(_pipeline())


def _pipeline() -> dict[str, Any]:
    stamp = {"createdAt": iso(MIGRATED), "updatedAt": iso(MIGRATED), "archived": False}
    return {
        "id": "default",
        "label": "Sales Pipeline",
        "displayOrder": 0,
        **stamp,
        "stages": [
            {
                "id": stage,
                "label": label,
                "displayOrder": order,
                "metadata": {"isClosed": "true" if stage.startswith("closed") else "false", "probability": probability},
                "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
                **stamp,
            }
            for order, (stage, label, probability) in enumerate(STAGES)
        ],
    }


def list_properties(world: World, call: Call, parts: dict[str, str]) -> Answer:
    _authorize(world, call)
    kind = _kind(world, parts["kind"])
    return Answer({"results": [_property(name, data_type) for name, data_type in PROPERTIES[kind].items()]})


def _property(name: str, data_type: str) -> dict[str, Any]:
    field_types = {"datetime": "date", "number": "number", "enumeration": "select", "bool": "booleancheckbox"}
    return {
        "name": name,
        "label": name.replace("_", " ").capitalize(),
        "type": data_type,
        "fieldType": field_types.get(data_type, "text"),
        "description": "",
        "groupName": "sandbox",
        "options": [],
        "displayOrder": -1,
        "calculated": False,
        "externalOptions": False,
        "hasUniqueValue": name in ("email", "hs_object_id"),
        "hidden": False,
        "hubspotDefined": True,
        "formField": False,
        "archived": False,
        "createdAt": iso(MIGRATED),
        "updatedAt": iso(MIGRATED),
    }


# --- events ---------------------------------------------------------------------------------------------------------


def list_events(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET /events/event-occurrences/2026-09 (old: /events/v3/events): newest first unless sorted otherwise.

    Event occurrences of merged contacts belong to the survivor; those of archived contacts stay.
    """
    _authorize(world, call)
    query = call.query
    limit, start = _limit(call, 100, EVENTS_LIMIT), _after(call)
    if "objectId" in query and "objectType" not in query:
        raise _invalid("objectType is required when objectId is given")
    if query.get("objectType", "contact").lower() not in ("contact", "contacts", "0-1"):
        raise _invalid(f"No events are kept for object type {query['objectType']}")
    if "eventType" in query and query["eventType"] not in EVENT_TYPES:
        raise _invalid(f"Unknown event type {query['eventType']}")
    if "id" in query and "eventType" not in query:
        raise _invalid("eventType is required when id is given")
    try:
        since = moment(query["occurredAfter"].replace(" ", "+")) if "occurredAfter" in query else 0
        until = moment(query["occurredBefore"].replace(" ", "+")) if "occurredBefore" in query else call.now + 1
    except ValueError:
        raise _invalid("occurredAfter and occurredBefore must be ISO 8601 date-times") from None
    ids = set(call.query_list("id"))
    found = [
        event
        for event in world.scenario.events
        if since <= event.at < until
        and event.at <= call.now
        and query.get("eventType", event.event_type) == event.event_type
        and ("objectId" not in query or event.contact_at(call.now) == query["objectId"])
        and (not ids or event.id in ids)
    ]
    sort = query.get("sort", "-occurredAt")
    if sort.lstrip("-") != "occurredAt":
        raise _invalid("Only occurredAt can be sorted by")
    found.sort(key=lambda event: (event.at, event.id), reverse=sort.startswith("-"))
    wanted = call.query_list("properties")
    payload: dict[str, Any] = {
        "results": [
            {
                "objectType": "CONTACT",
                "objectId": event.contact_at(call.now),
                "eventType": event.event_type,
                "occurredAt": iso(event.at),
                "id": event.id,
                "properties": {name: value for name, value in event.properties.items() if not wanted or name in wanted},
            }
            for event in found[start : start + limit]
        ]
    }
    if start + limit < len(found):
        payload["paging"] = {
            "next": {"after": str(start + limit), "link": f"{call.base_url}{call.path}?after={start + limit}"}
        }
    return Answer(payload)


def list_event_types(world: World, call: Call, parts: dict[str, str]) -> Answer:
    _authorize(world, call)
    return Answer({"eventTypes": list(EVENT_TYPES)})


def company_currency(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET the portal's own currency; the key needs the scope settings.currencies.read."""
    _authorize(world, call)
    if not world.settings.hubspot_reads_currencies:
        required = [
            {
                "message": "One or more of the following scopes are required.",
                "context": {"requiredScopes": ["settings.currencies.read"]},
            }
        ]
        message = "This app hasn't been granted all required scopes to make this call."
        return error(403, message, "MISSING_SCOPES", world.number("hubspot request"), errors=required)
    return Answer({"id": world.settings.hubspot_home_currency, "createdAt": iso(0), "updatedAt": iso(0)})


def forget_home_currency(world: World, rows: list[dict[str, Any]]) -> None:
    """Deals as a portal writes them that knows one currency only: null, or an empty text where a person cleared it."""
    for row in rows:
        properties = row.get("properties", {})
        if properties.get("deal_currency_code") == world.settings.hubspot_home_currency:
            properties["deal_currency_code"] = "" if int(row["id"]) % 2 else None


DATED = r"(?:2026-09|2026-03)"
OBJECTS = rf"/crm/(?:objects/{DATED}|v3/objects)/(?P<kind>[\w-]+)"
ASSOCIATED = (
    rf"/crm/(?:objects/{DATED}|v4/objects|v3/objects)/(?P<kind>[\w-]+)/(?P<id>\d+)/associations/(?P<to>[\w-]+)/?"
)
ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", rf"/oauth/(?:{DATED}|v1|v3)/token", give_token),
    ("POST", OBJECTS + r"/search/?", search),
    ("POST", OBJECTS + r"/batch/read/?", batch_read),
    ("GET", ASSOCIATED, list_associations),
    (
        "POST",
        rf"/crm/(?:associations/{DATED}|v4/associations)/(?P<kind>[\w-]+)/(?P<to>[\w-]+)/batch/read/?",
        batch_associations,
    ),
    ("GET", OBJECTS + r"/?", list_objects),
    ("GET", OBJECTS + r"/(?P<id>\d+)/?", get_object),
    ("GET", rf"/crm/(?:owners/{DATED}|v3/owners)/?", list_owners),
    ("GET", rf"/crm/(?:owners/{DATED}|v3/owners)/(?P<id>\d+)/?", get_owner),
    ("GET", rf"/crm/(?:pipelines/{DATED}|v3/pipelines)/(?P<kind>[\w-]+)/?", list_pipelines),
    ("GET", rf"/crm/(?:pipelines/{DATED}|v3/pipelines)/(?P<kind>[\w-]+)/(?P<id>[\w-]+)/?", get_pipeline),
    ("GET", rf"/crm/(?:properties/{DATED}|v3/properties)/(?P<kind>[\w-]+)/?", list_properties),
    ("GET", rf"/settings/(?:currencies/{DATED}|v3/currencies)/company-currency/?", company_currency),
    ("GET", rf"/events/(?:event-occurrences/{DATED}|v3/events)/?", list_events),
    ("GET", rf"/events/(?:event-occurrences/{DATED}|v3/events)/event-types/?", list_event_types),
)


# --- what faults need to know ---------------------------------------------------------------------------------------


def stream_of(world: World, call: Call) -> str | None:
    if call.path.startswith("/events/"):
        return "contact_events"
    if "/owners" in call.path:
        return "owners"
    if "/pipelines/" in call.path:
        return "pipelines"
    for segment in call.path.split("/"):
        if segment in OBJECT_TYPES:
            return OBJECT_TYPES[segment]
    return None


def is_later_page(call: Call) -> bool:
    if call.method == "POST" and call.path.rstrip("/").endswith("/search"):
        # A reader past 10,000, or one that trusts no offset, goes on after the last id instead.
        goes_on = any(
            spec.get("operator") == "GT" for group in call.json.get("filterGroups", ()) for spec in group["filters"]
        )
        return goes_on or str(call.json.get("after") or "0").strip("0") != ""
    return call.query.get("after", "0").strip("0") != ""


def rows_of(payload: Any) -> list[Any] | None:
    return payload.get("results") if isinstance(payload, dict) else None


def hollow(call: Call, payload: Any) -> Any:
    """The answer as an empty page that is not the last; a leading zero spells the same place anew."""
    after = str(call.json.get("after") or "0") if call.method == "POST" else call.query["after"]
    return {**payload, "results": [], "paging": {"next": {"after": f"0{after}"}}}
