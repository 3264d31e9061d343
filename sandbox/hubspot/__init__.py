"""HubSpot: CRM objects (search, list, batch read, one), associations, owners, pipelines, properties, events, OAuth.

Every endpoint answers on its dated path (2026-09, 2026-03) and on its v3/v4 path. Values are strings or null. Search
returns neither archived records nor associations and ends at 10,000; merged contacts disappear into their survivor,
which lists them.
"""

from __future__ import annotations

from typing import Any

from sandbox.exchange import Call, Handler, World
from sandbox.hubspot.access import give_token
from sandbox.hubspot.associations import batch_associations, list_associations
from sandbox.hubspot.events import list_event_types, list_events
from sandbox.hubspot.objects import batch_read, get_object, list_objects
from sandbox.hubspot.portal import (
    company_currency,
    get_owner,
    get_pipeline,
    list_owners,
    list_pipelines,
    list_properties,
)
from sandbox.hubspot.schema import OBJECT_TYPES, VENDOR
from sandbox.hubspot.searching import search

__all__ = ["ROUTES", "VENDOR", "hollow", "is_later_page", "rows_of", "stream_of"]

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
        # A reader beyond 10,000 records, or one that avoids offsets, continues after the last id.
        goes_on = any(
            spec.get("operator") == "GT" for group in call.json.get("filterGroups", ()) for spec in group["filters"]
        )
        return goes_on or str(call.json.get("after") or "0").strip("0") != ""
    return call.query.get("after", "0").strip("0") != ""


def rows_of(payload: Any) -> list[Any] | None:
    return payload.get("results") if isinstance(payload, dict) else None


def hollow(call: Call, payload: Any) -> Any:
    """The answer as an empty page that is not the last; a leading zero in the cursor means the same place."""
    after = str(call.json.get("after") or "0") if call.method == "POST" else call.query["after"]
    return {**payload, "results": [], "paging": {"next": {"after": f"0{after}"}}}
