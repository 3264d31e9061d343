"""The search of HubSpot's objects: filters, sorting, its limit of 10,000 hits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.clock import moment
from sandbox.exchange import Answer, Call, Refusal, World
from sandbox.hubspot.access import SEARCH_LIMIT, authorize, error, invalid, json_body
from sandbox.hubspot.rendering import kind_of, render, states, value_of
from sandbox.hubspot.schema import MODIFIED, PROPERTIES
from sandbox.records import State


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
            raise invalid(f"Invalid value for datetime property {name}: {text}") from None
    if data_type == "number":
        try:
            return float(text)
        except ValueError:
            raise invalid(f"Invalid value for number property {name}: {text}") from None
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
        raise invalid("Invalid input JSON: a filter needs propertyName and operator")
    name, operator = spec["propertyName"], spec["operator"]
    if name not in PROPERTIES[kind]:
        raise invalid(
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
            raise invalid(f"operator {operator} requires values")
        members = {_comparable(kind, name, value) for value in spec["values"]}
        if operator == "IN":
            return lambda state: read(state) in members
        return lambda state: read(state) is not None and read(state) not in members
    if "value" not in spec:
        raise invalid(f"operator {operator} requires a value")
    value = _comparable(kind, name, spec["value"])
    if operator == "BETWEEN":
        if "highValue" not in spec:
            raise invalid("operator BETWEEN requires values for both value and highValue")
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
        raise invalid(f"Invalid input JSON: operator {operator} is not one of {', '.join(compare)}")
    check = compare[operator]
    return lambda state: check(read(state))


def _sorter(kind: str, sorts: Any) -> tuple[Callable[[State], Any], bool]:
    if not sorts:
        return (lambda state: (state.created, int(state.id))), False
    if not isinstance(sorts, list) or len(sorts) > 1:
        raise invalid("Only one sort is allowed")
    spec = sorts[0]
    if isinstance(spec, dict):
        name, descending = spec.get("propertyName", ""), spec.get("direction") == "DESCENDING"
    else:
        name, descending = str(spec).lstrip("-"), str(spec).startswith("-")
    if name not in PROPERTIES[kind]:
        raise invalid(f"There was a problem with the request. Property '{name}' does not exist")
    read = _reader(kind, name)

    def key(state: State) -> Any:
        found = read(state)
        return (found is not None, found if found is not None else 0, int(state.id))

    return key, descending


def search(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """POST …/{objectType}/search. Raises Refusal for a search that is not valid."""
    authorize(world, call, is_search=True)
    kind = kind_of(world, parts["kind"])
    body = json_body(call)
    limit = body.get("limit", 10)
    if not isinstance(limit, int) or isinstance(limit, bool) or not 0 < limit <= SEARCH_LIMIT:
        raise invalid(f"The limit must be between 1 and {SEARCH_LIMIT}, got {limit}")
    try:
        start = int(body.get("after") or 0)
    except (TypeError, ValueError):
        raise invalid(f"Invalid input JSON: after is not a number: {body.get('after')}") from None
    groups = body.get("filterGroups") or []
    if len(groups) > 5 or any(len(group.get("filters", ())) > 6 for group in groups):
        raise invalid("There are too many filters: at most 5 groups of at most 6 filters each")
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
    matches = world.memo(
        memo_key,
        lambda: sorted(_matches(world, kind, now, tests, body.get("query")), key=key, reverse=descending),
    )
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
    text: str | None,
) -> list[State]:
    found = [
        state
        for state in states(world, kind, now)
        if not tests or any(all(test(state) for test in group) for group in tests)
    ]
    if text:
        found = [
            state
            for state in found
            if any(text.lower() in str(value).lower() for value in state.fields.values() if isinstance(value, str))
        ]
    return found
