"""Associations between HubSpot's objects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox.clock import iso
from sandbox.exchange import Answer, Call, World
from sandbox.hubspot.access import authorize, error, invalid, json_body, page_limit, start_after
from sandbox.hubspot.rendering import kind_of, resolve
from sandbox.hubspot.schema import ASSOCIATION_TYPES, ENGAGEMENTS, LABEL_TYPES, PRIMARY_TYPES
from sandbox.records import State

ASSOCIATION_BATCH_LIMIT, ASSOCIATION_PAGE = 1_000, 500


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
    found = [resolve(world, kind, one, now) for one in ids]
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


def associations_of(world: World, kind: str, state: State, names: Iterable[str], now: int) -> dict[str, Any]:
    """The member `associations` of an object that was read with `associations=`; absent without any."""
    found: dict[str, Any] = {}
    for name in names:
        to_kind = kind_of(world, name)
        if (kind, to_kind) not in ASSOCIATION_TYPES:
            raise invalid(f"{kind} are not associated with {name}")
        words = [types[kind, to_kind][1] for types in (PRIMARY_TYPES, ASSOCIATION_TYPES) if (kind, to_kind) in types]
        linked = [{"id": one, "type": word} for one in _linked(world, kind, state, to_kind, now) for word in words]
        if linked:
            found[to_kind.replace("_", " ")] = {"results": linked}
    return {"associations": found} if found else {}


def list_associations(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET …/{objectType}/{id}/associations/{toObjectType}."""
    authorize(world, call)
    kind, to_kind = kind_of(world, parts["kind"]), kind_of(world, parts["to"])
    state = resolve(world, kind, parts["id"], call.now)
    if state is None:
        return error(404, "resource not found", "OBJECT_NOT_FOUND", world.number("hubspot request"))
    limit, after = page_limit(call, ASSOCIATION_PAGE, ASSOCIATION_PAGE), start_after(call)
    linked = [one for one in sorted(_linked(world, kind, state, to_kind, call.now), key=int) if int(one) > after]
    payload: dict[str, Any] = {"results": [_association(kind, to_kind, state, one) for one in linked[:limit]]}
    if len(linked) > limit:
        last = linked[limit - 1]
        payload["paging"] = {"next": {"after": last, "link": f"{call.base_url}{call.path}?after={last}"}}
    return Answer(payload)


def batch_associations(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """POST …/associations/{from}/{to}/batch/read: a record without any makes the answer a 207."""
    authorize(world, call)
    kind, to_kind = kind_of(world, parts["kind"]), kind_of(world, parts["to"])
    inputs = json_body(call).get("inputs") or []
    if len(inputs) > ASSOCIATION_BATCH_LIMIT:
        raise invalid(f"Too many inputs: at most {ASSOCIATION_BATCH_LIMIT} at once, got {len(inputs)}")
    size = world.settings.hubspot_association_page_size
    results, errors = [], []
    for item in inputs:
        record_id, after = str(item.get("id")), int(item.get("after") or 0)
        state = resolve(world, kind, record_id, call.now)
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
