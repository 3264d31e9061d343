"""Events on HubSpot's contacts."""

from __future__ import annotations

from typing import Any

from sandbox.clock import iso, moment
from sandbox.exchange import Answer, Call, World
from sandbox.hubspot.access import EVENTS_LIMIT, authorize, invalid, page_limit, start_after
from sandbox.hubspot.schema import EVENT_TYPES
from sandbox.scenario import ContactEvent


def list_events(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET /events/event-occurrences/2026-09 (old: /events/v3/events): newest first unless sorted otherwise.

    Event occurrences of merged contacts belong to the survivor; those of archived contacts stay.
    """
    authorize(world, call)
    limit, start = page_limit(call, 100, EVENTS_LIMIT), start_after(call)
    found = _found(world, call)
    wanted = call.query_list("properties")
    payload: dict[str, Any] = {
        "results": [_occurrence(event, call.now, wanted) for event in found[start : start + limit]]
    }
    if start + limit < len(found):
        payload["paging"] = {
            "next": {"after": str(start + limit), "link": f"{call.base_url}{call.path}?after={start + limit}"}
        }
    return Answer(payload)


def _check(query: dict[str, str]) -> None:
    """Refuse what HubSpot would refuse, in its order."""
    if "objectId" in query and "objectType" not in query:
        raise invalid("objectType is required when objectId is given")
    if query.get("objectType", "contact").lower() not in ("contact", "contacts", "0-1"):
        raise invalid(f"No events are kept for object type {query['objectType']}")
    if "eventType" in query and query["eventType"] not in EVENT_TYPES:
        raise invalid(f"Unknown event type {query['eventType']}")
    if "id" in query and "eventType" not in query:
        raise invalid("eventType is required when id is given")


def _found(world: World, call: Call) -> list[ContactEvent]:
    """The events that the query asks for, in its order."""
    query = call.query
    _check(query)
    try:
        since = moment(query["occurredAfter"].replace(" ", "+")) if "occurredAfter" in query else 0
        until = moment(query["occurredBefore"].replace(" ", "+")) if "occurredBefore" in query else call.now + 1
    except ValueError:
        raise invalid("occurredAfter and occurredBefore must be ISO 8601 date-times") from None
    sort = query.get("sort", "-occurredAt")
    if sort.lstrip("-") != "occurredAt":
        raise invalid("Only occurredAt can be sorted by")
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
    return sorted(found, key=lambda event: (event.at, event.id), reverse=sort.startswith("-"))


def _occurrence(event: ContactEvent, now: int, wanted: list[str]) -> dict[str, Any]:
    return {
        "objectType": "CONTACT",
        "objectId": event.contact_at(now),
        "eventType": event.event_type,
        "occurredAt": iso(event.at),
        "id": event.id,
        "properties": {name: value for name, value in event.properties.items() if not wanted or name in wanted},
    }


def list_event_types(world: World, call: Call, parts: dict[str, str]) -> Answer:
    authorize(world, call)
    return Answer({"eventTypes": list(EVENT_TYPES)})
