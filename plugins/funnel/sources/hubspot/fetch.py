"""Requests to HubSpot for each stream."""

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import chain
from typing import Any

from funnel.contract import (
    Connection,
    Fetched,
    HomeCurrency,
    Stream,
    Window,
)
from funnel.rest import auth, bodies, messages
from funnel.rest.client import Client, Dialect, connect
from funnel.rest.errors import Refused, Unavailable
from funnel.rest.listing import ids_body, ids_of
from funnel.rest.pages import by_cursor, by_highest_id, in_chunks, read_pages
from funnel.sources.hubspot.errors import diagnose

log = logging.getLogger(__name__)


DEFAULT_VERSION = "2026-09"


SEARCH_PAGE_SIZE = 200


LIST_PAGE_SIZE = 100


HISTORY_PAGE_SIZE = 50  # HubSpot's limit if property history is requested


ASSOCIATION_BATCH_SIZE = 1_000


WHOLE_AT_MOST = 50_000


MILLISECOND = timedelta(milliseconds=1)


_OBJECTS = {"contacts", "companies", "deals", "line_items", "calls", "emails", "meetings"}


# Streams that a portal may not have, or its key no scope for: left out if the connection sets them to false.
_OPTIONAL = {"line_items": "line_items", "calls": "engagements", "emails": "engagements", "meetings": "engagements"}


def fetch(connection: Connection, stream: Stream, window: Window) -> Iterator[Fetched]:
    """One portal. Owners, pipelines and archived records have no time filter and are read whole."""
    if not connection.extra.get(_OPTIONAL.get(stream.name, ""), True):
        return
    with connect(APP_DIALECT if connection.login else DIALECT, connection) as client:
        if stream.name in _OBJECTS:
            changed = _changed_objects(client, stream, _reaching_back(client, stream, window))
            yield from _with_home_currency(client, stream, chain(changed, _archived_objects(client, stream)))
        elif stream.name == "owners":
            yield from _owners(client)
        elif stream.name == "pipelines":
            yield client.ask(messages.Request("GET", _pipelines_path(client), expects="results")).body
        # The events API needs an Enterprise subscription; a portal without one says so in the connection.
        elif connection.extra.get("contact_events", True):
            yield from _events(client, window)


def list_ids(connection: Connection, stream: Stream, _: Window) -> Iterator[bytes]:
    """The ids of all live records, 100 a call: HubSpot reports neither merges nor permanent deletions of records."""
    if not connection.extra.get(_OPTIONAL.get(stream.name, ""), True):
        return
    with connect(APP_DIALECT if connection.login else DIALECT, connection) as client:
        request = messages.Request(
            "GET",
            _object_path(client, stream),
            expects="results",
            params={
                "archived": "false",
                "limit": _page_size(client, LIST_PAGE_SIZE),
                "properties": "hs_object_id",
            },
        )
        for page in read_pages(client, request, _NEXT_LISTED, page_size_parameter="limit"):
            yield ids_body(ids_of(client, request, page.parsed["results"], "id"))


def _with_home_currency(client: Client, stream: Stream, pages: Iterator[bytes]) -> Iterator[Fetched]:
    """The bodies and, if a record with an amount names no currency, the portal's currency (if the scope allows it)."""
    is_asked = stream.money is None
    for body in pages:
        yield body
        if not is_asked and any(_lacks_currency(stream, record) for record in records(stream, body)):
            is_asked = True
            if code := _home_currency(client):
                yield HomeCurrency(code)


def _lacks_currency(stream: Stream, record: Any) -> bool:
    paths = {column.name: column.path for column in stream.columns}
    money = stream.money
    if money is None or messages.value_at(record, paths[money.currency]):
        return False
    return any(messages.value_at(record, paths[name]) not in (None, "") for name in money.amounts)


def _home_currency(client: Client) -> str | None:
    """The currency of deals that name none: portals with a single currency do not write it."""
    version = _version(client)
    folder = "v3/currencies" if version.startswith("v") else f"currencies/{version}"
    try:
        answer = client.ask(messages.Request("GET", f"/settings/{folder}/company-currency")).parsed
    except Refused as refused:
        log.warning("hubspot: the portal's currency is not known, its key lacks settings.currencies.read: %s", refused)
        return None
    code = messages.value_at(answer, "id") or messages.value_at(answer, "currencyCode")
    return code if isinstance(code, str) else None


def records(stream: Stream, body: bytes) -> Iterator[Any]:
    """The records of one page, whether of a search, a batch or a list."""
    yield from bodies.listed(bodies.read_json(body), "results")


def _reaching_back(client: Client, stream: Stream, window: Window) -> Window:
    """The days to read: more than the changed ones if associations or computed fields may be newer."""
    if window.whole:
        at_most = int(client.connection.extra.get("whole_at_most", WHOLE_AT_MOST))
        first = client.ask(_search(client, stream, window, 1)).parsed
        if first.get("total", 0) <= at_most:
            return window
        log.warning("hubspot: %d %s are more than %d and are not read whole", first["total"], stream.name, at_most)
    days = client.connection.days("linked_days", stream, stream.linked_days)
    if not (window.until_now and stream.linked_days and days):
        return replace(window, whole=False)
    return replace(window, whole=False, from_day=min(window.from_day, window.to_day - timedelta(days=days)))


def _changed_objects(client: Client, stream: Stream, window: Window) -> Iterator[bytes]:
    path = _object_path(client, stream)
    with_history = _names(stream, "propertiesWithHistory")
    request = _search(client, stream, window, SEARCH_PAGE_SIZE)
    associated = dict.fromkeys(_names(stream, "associations") + _names(stream, "associated"))
    for page in read_pages(client, request, _NEXT_SEARCH):
        if not (with_history or associated):
            yield page.body
            continue
        ids = [record["id"] for record in page.parsed["results"] if _has_id(record)]
        strange = [record for record in page.parsed["results"] if not _has_id(record)]
        if with_history and strange:
            # No more can be requested of them: the load quarantines them.
            yield client.clean_body(bodies.write_json({"results": strange}))
        links = {name: _associations(client, stream, name, ids) for name in associated}
        if not with_history:
            yield _linked(client, stream, page, links)
            continue
        for chunk in in_chunks(ids, _page_size(client, HISTORY_PAGE_SIZE)):
            # A record merged or archived since the search is missing here (HTTP 207): the survivor, or the list of
            # archived records, shows it.
            batch = messages.Request(
                "POST",
                f"{path}/batch/read",
                expects="results",
                json={
                    "inputs": [{"id": record_id} for record_id in chunk],
                    "properties": _names(stream, "properties"),
                    "propertiesWithHistory": with_history,
                },
            )
            yield _linked(client, stream, client.ask(batch), links) if links else client.ask(batch).body


def _has_id(record: Any) -> bool:
    """True if the record has an id by which more can be requested."""
    return re.fullmatch(r"[\w-]{1,64}", str(messages.value_at(record, "id") or "")) is not None


def _search(client: Client, stream: Stream, window: Window, page_size: int) -> messages.Request:
    with_history = _names(stream, "propertiesWithHistory")
    return messages.Request(
        "POST",
        f"{_object_path(client, stream)}/search",
        expects="results",
        json={
            "filterGroups": [{"filters": [_modified_within(stream, window)]}],
            "sorts": ["hs_object_id"],
            "properties": ["hs_object_id"] if with_history else _names(stream, "properties"),
            "limit": _page_size(client, page_size),
            "after": "0",
        },
    )


def _associations(client: Client, stream: Stream, name: str, ids: list[str]) -> dict[str, list[Any]]:
    """The associations of these records, with labels; records without any are missing (HTTP 207)."""
    version = _version(client)
    kind = f"/crm/{version}/associations" if version.startswith("v") else f"/crm/associations/{version}"
    found: dict[str, list[Any]] = {}
    waiting: list[dict[str, str]] = [{"id": record_id} for record_id in ids]
    seen: set[tuple[str, str]] = set()
    while waiting:
        now, waiting = waiting[:ASSOCIATION_BATCH_SIZE], waiting[ASSOCIATION_BATCH_SIZE:]
        # Associations with labels came with v4.
        path = f"{kind.replace('/v3/', '/v4/')}/{stream.name}/{name}/batch/read"
        request = messages.Request("POST", path, expects="results", json={"inputs": now})
        answer = client.ask(request)
        for result in answer.parsed["results"]:
            record_id = str(messages.value_at(result, "from.id"))
            to = messages.value_at(result, "to") or []
            # A value that is not a list is left to the load: this record loses its associations.
            found.setdefault(record_id, []).extend(to if isinstance(to, list) else [to])
            # A record with many has pages of its own, requested one record at a time.
            if after := messages.value_at(result, "paging.next.after"):
                if (record_id, str(after)) in seen:
                    message = f"the next page {after!r} of record {record_id} was read before: they go in a circle"
                    raise client.fail(Unavailable, message, request)
                seen.add((record_id, str(after)))
                waiting.append({"id": record_id, "after": after})
    return found


def _linked(client: Client, stream: Stream, page: messages.Page, links: dict[str, dict[str, list[Any]]]) -> bytes:
    """A page with the associations added to its records, and the first one of each."""
    for record in page.parsed["results"]:
        if not isinstance(record, dict):
            continue
        of = {name: found.get(str(record.get("id")), []) for name, found in links.items()}
        # Write only declared associations: our own key must not count as an undeclared vendor field.
        if declared := _names(stream, "associations"):
            record["associations"] = {name: of[name] for name in declared}
        if declared := _names(stream, "associated"):
            record["associated"] = {
                name: messages.value_at(of[name][0], "toObjectId") if of[name] else None for name in declared
            }
    return client.clean_body(bodies.write_json(page.parsed))


def _archived_objects(client: Client, stream: Stream) -> Iterator[bytes]:
    # Search never sees archived records. HubSpot keeps them in this list for 90 days.
    with_history = _names(stream, "propertiesWithHistory")
    params: dict[str, str | int] = {
        "archived": "true",
        "limit": _page_size(client, HISTORY_PAGE_SIZE if with_history else LIST_PAGE_SIZE),
        "properties": ",".join(_names(stream, "properties")),
    }
    if with_history:
        params["propertiesWithHistory"] = ",".join(with_history)
    request = messages.Request("GET", _object_path(client, stream), expects="results", params=params)
    for page in read_pages(client, request, _NEXT_LISTED, page_size_parameter="limit"):
        yield page.body


def _owners(client: Client) -> Iterator[bytes]:
    version = _version(client)
    path = f"/crm/{version}/owners" if version.startswith("v") else f"/crm/owners/{version}"
    for archived in ("false", "true"):
        request = messages.Request(
            "GET",
            path,
            expects="results",
            params={"archived": archived, "limit": _page_size(client, LIST_PAGE_SIZE)},
        )
        for page in read_pages(client, request, _NEXT_LISTED, page_size_parameter="limit"):
            yield page.body


def _pipelines_path(client: Client) -> str:
    version = _version(client)
    return f"/crm/{version}/pipelines/deals" if version.startswith("v") else f"/crm/pipelines/{version}/deals"


def _events(client: Client, window: Window) -> Iterator[bytes]:
    version = _version(client)
    path = "/events/v3/events" if version.startswith("v") else f"/events/event-occurrences/{version}"
    from_time, to_time = _midnight(window.from_day), _midnight(window.to_day)
    event_types = client.connection.extra.get("event_types") or [None]
    for event_type in event_types:
        params: dict[str, str | int] = {
            "objectType": "contact",
            # HubSpot does not document whether these bounds are inclusive: one more millisecond is requested, and
            # records outside the window are cut off below.
            "occurredAfter": _timestamp(from_time - MILLISECOND),
            "occurredBefore": _timestamp(to_time),
            "limit": _page_size(client, LIST_PAGE_SIZE),
        }
        if event_type:
            params["eventType"] = event_type
        request = messages.Request("GET", path, expects="results", params=params)
        for page in read_pages(client, request, _NEXT_LISTED, page_size_parameter="limit"):
            inside = [event for event in page.parsed["results"] if not _is_outside(event, from_time, to_time)]
            if len(inside) == len(page.parsed["results"]):
                yield page.body
            else:
                yield client.clean_body(bodies.write_json({**page.parsed, "results": inside}))


def _restrict(request: messages.Request, highest_id: int) -> messages.Request:
    asked = dict(request.json or {})
    modified = asked["filterGroups"][0]["filters"][0]
    beyond = {"propertyName": "hs_object_id", "operator": "GT", "value": str(highest_id)}
    return replace(request, json={**asked, "filterGroups": [{"filters": [modified, beyond]}], "after": "0"})


def _advance(request: messages.Request, parsed: Any) -> messages.Request | None:
    cursor = messages.value_at(parsed, "paging.next.after")
    return replace(request, json={**(request.json or {}), "after": cursor}) if cursor else None


_NEXT_SEARCH = by_highest_id(_restrict, _advance)


_NEXT_LISTED = by_cursor("paging.next.after", "after")


def _modified_within(stream: Stream, window: Window) -> dict[str, str]:
    modified = {
        "propertyName": "lastmodifieddate" if stream.name == "contacts" else "hs_lastmodifieddate",
        "value": _milliseconds(_midnight(window.from_day)),
    }
    if window.whole:
        return {**modified, "operator": "GTE", "value": "0"}
    if window.until_now:
        return {**modified, "operator": "GTE"}
    # BETWEEN includes both ends.
    return {**modified, "operator": "BETWEEN", "highValue": _milliseconds(_midnight(window.to_day) - MILLISECOND)}


def _names(stream: Stream, part: str) -> list[str]:
    """Vendor names of the declared fields of one part of a record; HubSpot ignores properties that a portal lacks."""
    return [column.path.removeprefix(f"{part}.") for column in stream.columns if column.path.startswith(f"{part}.")]


def _object_path(client: Client, stream: Stream) -> str:
    version = _version(client)
    return (
        f"/crm/{version}/objects/{stream.name}" if version.startswith("v") else f"/crm/objects/{version}/{stream.name}"
    )


def _version(client: Client) -> str:
    return str(client.connection.extra.get("version", DEFAULT_VERSION))


def _page_size(client: Client, largest: int) -> int:
    return min(int(client.connection.extra.get("page_size", largest)), largest)


def _midnight(day: Any) -> datetime:
    return datetime.combine(day, time(), UTC)


def _milliseconds(moment: datetime) -> str:
    return str(round(moment.timestamp() * 1000))


def _timestamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _is_outside(event: dict[str, Any], from_time: datetime, to_time: datetime) -> bool:
    try:
        occurred_at = datetime.fromisoformat(event["occurredAt"])
        return not from_time <= occurred_at < to_time
    except (KeyError, TypeError, ValueError, OverflowError):
        # A connector does not check values: the load quarantines unreadable ones.
        return False


def _sign(connection: Connection, token: str, request: messages.Request) -> messages.Request:
    return replace(request, headers={**request.headers, "Authorization": f"Bearer {token}"})


def _log_in(client: Client) -> auth.Token:
    connection = client.connection
    version = _version(client)
    token_url = connection.extra.get("token_url") or (
        f"{connection.base_url.rstrip('/')}/oauth/{'v3' if version.startswith('v') else version}/token"
    )
    form = {
        "grant_type": "refresh_token",
        "client_id": connection.login or "",
        "client_secret": connection.password or "",
        "refresh_token": client.refresh_token,
    }
    answer = client.ask_for_token(messages.Request("POST", token_url, form=form))
    return auth.token_of(answer)


# A service key is a permanent token: it is never renewed.
DIALECT = Dialect("hubspot", sign=_sign, diagnose=diagnose)


APP_DIALECT = Dialect("hubspot", sign=_sign, diagnose=diagnose, login=_log_in)
