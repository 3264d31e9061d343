"""HubSpot's records in the format of its answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox.clock import iso
from sandbox.exchange import World
from sandbox.hubspot.access import invalid
from sandbox.hubspot.schema import DEFAULTS, ENGAGEMENTS, MODIFIED, OBJECT_TYPES, PROBABILITIES, PROPERTIES
from sandbox.records import State


def value_of(kind: str, state: State, name: str) -> str | None:
    """One property in HubSpot's format."""
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
    # Pasted from a spreadsheet, with the line break that ends a cell there.
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


def kind_of(world: World, name: str) -> str:
    if name not in OBJECT_TYPES:
        raise invalid(f"Unable to infer object type from: {name}")
    return OBJECT_TYPES[name]


def states(world: World, kind: str, now: int, archived: bool = False) -> list[State]:
    return [
        state for state in world.scenario.hubspot[kind].snapshot(now) if state.removed == archived and not state.merged
    ]


def resolve(world: World, kind: str, record_id: str, now: int) -> State | None:
    """A record by id; the id of a merged one leads to its survivor."""
    state = world.scenario.hubspot[kind].find(record_id, now)
    while state is not None and state.merged:
        state = world.scenario.hubspot[kind].find(state.fields.get("_survivor", ""), now)
    return state
