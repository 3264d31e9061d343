"""Objects of HubSpot listed, read in batches, or one by one."""

from __future__ import annotations

from typing import Any

from sandbox.clock import iso
from sandbox.exchange import Answer, Call, World
from sandbox.hubspot.access import (
    BATCH_LIMIT,
    HISTORY_LIMIT,
    LIST_LIMIT,
    authorize,
    error,
    invalid,
    json_body,
    page_limit,
    start_after,
)
from sandbox.hubspot.associations import associations_of
from sandbox.hubspot.rendering import kind_of, render, resolve, states


def list_objects(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET …/{objectType}: by id, 100 a page, 50 with history, archived ones on demand."""
    authorize(world, call)
    kind = kind_of(world, parts["kind"])
    histories = call.query_list("propertiesWithHistory")
    limit = page_limit(call, 10, HISTORY_LIMIT if histories else LIST_LIMIT)
    archived = call.query.get("archived", "false").lower() == "true"
    after = start_after(call)
    version = world.scenario.hubspot[kind].version(call.now)
    listed = world.memo(
        f"list {kind} {version} {archived}",
        lambda: sorted(states(world, kind, call.now, archived), key=lambda state: int(state.id)),
    )
    rows = [state for state in listed if int(state.id) > after]
    properties = call.query_list("properties")
    results = [render(kind, state, properties, histories) for state in rows[:limit]]
    if names := call.query_list("associations"):
        for state, rendered in zip(rows, results, strict=False):
            rendered |= associations_of(world, kind, state, names, call.now)
    payload: dict[str, Any] = {"results": results}
    if len(rows) > limit:
        last = rows[limit - 1].id
        payload["paging"] = {"next": {"after": last, "link": f"{call.base_url}{call.path}?after={last}"}}
    return Answer(payload)


def batch_read(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """POST …/{objectType}/batch/read: at most 100 ids, 50 with history."""
    authorize(world, call)
    kind = kind_of(world, parts["kind"])
    body = json_body(call)
    inputs = body.get("inputs") or []
    histories = body.get("propertiesWithHistory") or []
    most = HISTORY_LIMIT if histories else BATCH_LIMIT
    if len(inputs) > most:
        raise invalid(f"Too many inputs: at most {most} at once, got {len(inputs)}")
    archived = call.query.get("archived", "false").lower() == "true"
    by = body.get("idProperty")
    results, missing = [], []
    for item in inputs:
        wanted = str(item.get("id"))
        if by:
            state = next((one for one in states(world, kind, call.now, archived) if one.fields.get(by) == wanted), None)
        else:
            state = resolve(world, kind, wanted, call.now)
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
    authorize(world, call)
    kind = kind_of(world, parts["kind"])
    archived = call.query.get("archived", "false").lower() == "true"
    state = resolve(world, kind, parts["id"], call.now)
    if state is None or state.removed != archived:
        return error(404, "resource not found", "OBJECT_NOT_FOUND", world.number("hubspot request"))
    rendered = render(kind, state, call.query_list("properties"), call.query_list("propertiesWithHistory"))
    return Answer(rendered | associations_of(world, kind, state, call.query_list("associations"), call.now))
