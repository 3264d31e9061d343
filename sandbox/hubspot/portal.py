"""The settings of a HubSpot portal: owners, pipelines, properties, its currency."""

from __future__ import annotations

from typing import Any

from sandbox.clock import iso
from sandbox.exchange import Answer, Call, World
from sandbox.hubspot.access import OWNERS_LIMIT, authorize, error, invalid, page_limit, start_after
from sandbox.hubspot.rendering import kind_of, states
from sandbox.hubspot.schema import MIGRATED, PROPERTIES, STAGES
from sandbox.records import State


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
    authorize(world, call)
    limit, after = page_limit(call, 100, OWNERS_LIMIT), start_after(call)
    archived = call.query.get("archived", "false").lower() == "true"
    rows = [
        state
        for state in sorted(states(world, "owners", call.now, archived), key=lambda state: int(state.id))
        if int(state.id) > after and call.query.get("email", state.fields["email"]) == state.fields["email"]
    ]
    payload: dict[str, Any] = {"results": [_render_owner(state) for state in rows[:limit]]}
    if len(rows) > limit:
        payload["paging"] = {"next": {"after": rows[limit - 1].id, "link": f"?after={rows[limit - 1].id}"}}
    return Answer(payload)


def get_owner(world: World, call: Call, parts: dict[str, str]) -> Answer:
    authorize(world, call)
    state = world.scenario.hubspot["owners"].find(parts["id"], call.now)
    if state is None:
        return error(404, "resource not found", "OBJECT_NOT_FOUND", world.number("hubspot request"))
    return Answer(_render_owner(state))


def list_pipelines(world: World, call: Call, parts: dict[str, str]) -> Answer:
    authorize(world, call)
    if kind_of(world, parts["kind"]) != "deals":
        raise invalid(f"{parts['kind']} do not have pipelines")
    return Answer({"results": [_pipeline()]})


def get_pipeline(world: World, call: Call, parts: dict[str, str]) -> Answer:
    authorize(world, call)
    if kind_of(world, parts["kind"]) != "deals" or parts["id"] != "default":
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
    authorize(world, call)
    kind = kind_of(world, parts["kind"])
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


def company_currency(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET the portal's own currency; the key needs the scope settings.currencies.read."""
    authorize(world, call)
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
    """Deals in the form of a portal with a single currency: null, or an empty text where a person cleared it."""
    for row in rows:
        properties = row.get("properties", {})
        if properties.get("deal_currency_code") == world.settings.hubspot_home_currency:
            properties["deal_currency_code"] = "" if int(row["id"]) % 2 else None
