"""Pagination: the only loops over pages. A connector picks a paginator and receives every page."""

import hashlib
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from tempfile import SpooledTemporaryFile
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from funnel.contract import Window
from funnel.rest import bodies
from funnel.rest.client import Client
from funnel.rest.errors import TimedOut, TooMuchData, Unavailable
from funnel.rest.messages import Page, Request, value_at

log = logging.getLogger(__name__)
SMALLEST_PAGE = 5
MOST_PAGES_IN_MEMORY = 1_000_000  # bytes of pages that are yielded only when all are read
Paginator = Callable[[Request, Any], Request | None]


def read_pages(
    client: Client,
    request: Request,
    paginator: Paginator,
    *,
    page_size_parameter: str | None = None,
    may_shrink_first: bool = True,
) -> Iterator[Page]:
    """Every page from `request` on.

    The paginator decides where the pages end, never an empty page: vendors send those in the middle. A token that leads
    to a page which was already read would never end: it raises Unavailable. If a page is too much for the vendor
    (TooMuchData, TimedOut), it is asked again with half the `page_size_parameter`; the first page, and one that times
    out, only if `may_shrink_first`, because a caller that can halve its window must get the error first.
    """
    first, seen = request, {_identity(request)}
    next_request: Request | None = request
    while next_request is not None:
        request = next_request
        try:
            page = client.ask(request)
        except (TooMuchData, TimedOut) as error:
            smaller = _shrink(request, page_size_parameter)
            is_first = len(seen) == 1
            if smaller is None or ((is_first or isinstance(error, TimedOut)) and not may_shrink_first):
                raise
            log.warning("%s: a page is too much at once, asked for a smaller one", client.dialect.source)
            next_request = smaller
            continue
        next_request = paginator(request, page.parsed)
        if next_request is not None:
            if _identity(next_request) in seen:
                leads = (
                    "the link to it leads to the same page again" if next_request == request else "they go in a circle"
                )
                message = f"the next page {_token(first, next_request)!r} was read before: {leads}"
                raise client.fail(Unavailable, message, request)
            seen.add(_identity(next_request))
        yield page


def _identity(request: Request) -> bytes:
    """A hash that identifies a request: a read may have many pages."""
    asked = [request.method, request.path, request.query, dict(request.params), dict(request.json or {})]
    return hashlib.blake2b(bodies.write_json(asked), digest_size=16).digest()


def _token(first: Request, following: Request) -> str:
    """The part of a request that differs from the first one: the token, cursor or link of its page; of a long one the
    end.
    """
    if following.path != first.path:
        return following.shown_path[-100:]
    before = {**first.params, **(first.json or {}), **_variables(first)}
    after = {**following.params, **(following.json or {}), **_variables(following)}
    changed = [value for name, value in after.items() if before.get(name) != value and not isinstance(value, dict)]
    return str([*changed, following.shown_path][0])[-100:]


def _variables(request: Request) -> dict[str, Any]:
    found = (request.json or {}).get("variables")
    return found if isinstance(found, dict) else {}


def _all_or_nothing(pages: Iterator[Page]) -> Iterator[Page]:
    """The bodies of the pages, stored outside memory until the last one is read: a failure midway yields none."""
    with SpooledTemporaryFile(MOST_PAGES_IN_MEMORY) as file:
        for page in pages:
            file.write(len(page.body).to_bytes(8, "big"))
            file.write(page.body)
        file.seek(0)
        while size := file.read(8):
            yield Page(file.read(int.from_bytes(size, "big")), None)


def read_halving(
    window: Window,
    read: Callable[[Window], Iterator[Page]],
    read_day: Callable[[Window], Iterator[Page]] | None = None,
) -> Iterator[Page]:
    """The bodies of a window; if a page is too much for the vendor, those of its halves, down to one day.

    No page of a window is yielded before its last one is read: the halves would repeat its rows. `read_day` asks for
    less than `read` if even one day is too much.
    """
    pages = _all_or_nothing(read(window))
    try:
        first = next(pages, None)
    except (TooMuchData, TimedOut) as error:
        if len(window.days) == 1:
            if read_day is None:
                raise
            yield from read_day(window)
            return
        middle = window.from_day + timedelta(days=len(window.days) // 2)
        log.warning("%s: window %s to %s is too much at once, halved", error.source, window.from_day, window.to_day)
        first = None
        pages = _chain(
            read_halving(replace(window, to_day=middle, until_now=False), read, read_day),
            read_halving(replace(window, from_day=middle), read, read_day),
        )
    if first is not None:
        yield first
    yield from pages


def read_splitting(items: list[Any], read: Callable[[list[Any]], Iterator[Page]]) -> Iterator[Page]:
    """The bodies of a request for `items`; if it is too much for the vendor, those of its halves, down to one item."""
    pages = _all_or_nothing(read(items))
    try:
        first = next(pages, None)
    except (TooMuchData, TimedOut) as error:
        if len(items) == 1:
            raise
        log.warning("%s: a question about %d at once is too much, halved", error.source, len(items))
        middle = len(items) // 2
        first = None
        pages = _chain(read_splitting(items[:middle], read), read_splitting(items[middle:], read))
    if first is not None:
        yield first
    yield from pages


def by_token_in_body(answer_path: str, request_field: str) -> Paginator:
    """The answer contains the next page's token, which is added to the JSON body of the same request (Google)."""

    def paginate(request: Request, parsed: Any) -> Request | None:
        token = value_at(parsed, answer_path)
        return replace(request, json={**(request.json or {}), request_field: token}) if token else None

    return paginate


def by_cursor(answer_path: str, parameter: str) -> Paginator:
    """The answer contains the next page's cursor, which is added to the query of the same request (HubSpot lists)."""

    def paginate(request: Request, parsed: Any) -> Request | None:
        cursor = value_at(parsed, answer_path)
        return replace(request, params={**request.params, parameter: cursor}) if cursor else None

    return paginate


def by_offset(total_path: str) -> Paginator:
    """The answer contains the total number of rows; the next page begins `limit` further on (GA4 reports)."""

    def paginate(request: Request, parsed: Any) -> Request | None:
        asked = dict(request.json or {})
        following = int(asked.get("offset", 0)) + int(asked["limit"])
        if following >= int(value_at(parsed, total_path) or 0):
            return None
        return replace(request, json={**asked, "offset": str(following)})

    return paginate


def by_query_of_link(answer_path: str, parameters: tuple[str, ...]) -> Paginator:
    """The answer links the next page; only the named query parameters of the link are taken over (Meta).

    Following the whole link would send the token to any host that the body names.
    """

    def paginate(request: Request, parsed: Any) -> Request | None:
        link = value_at(parsed, answer_path)
        if not link:
            return None
        found = {name: value for name, value in parse_qsl(urlsplit(link).query) if name in parameters}
        return replace(request, params={**request.params, **found})

    return paginate


def by_path_of_link(answer_path: str) -> Paginator:
    """The answer links the next page by a path on the same host, which is the whole next request (Salesforce)."""

    def paginate(request: Request, parsed: Any) -> Request | None:
        link = value_at(parsed, answer_path)
        return replace(request, path=urlsplit(link).path, params={}) if link else None

    return paginate


def by_highest_id(restrict: Callable[[Request, int], Request], cursor: Paginator) -> Paginator:
    """Each page starts after the highest id of the previous one (HubSpot searches).

    An offset would skip a record whenever an earlier one left the result meanwhile because it changed, and is limited
    to 10,000. An empty page that is not the last has no highest id: `cursor` is used to continue.
    """

    def paginate(request: Request, parsed: Any) -> Request | None:
        following = cursor(request, parsed)
        found = [str(value_at(record, "id")) for record in parsed["results"]]
        ids = [int(one) for one in found if re.fullmatch(r"[0-9]{1,20}", one)]
        return following if following is None or not ids else restrict(request, max(ids))

    return paginate


def by_cursor_in_variables(connection_path: str) -> Paginator:
    """A GraphQL connection contains the cursor of its next page, which becomes the variable `after` (Shopify)."""

    def paginate(request: Request, parsed: Any) -> Request | None:
        if not value_at(parsed, f"{connection_path}.pageInfo.hasNextPage"):
            return None
        asked = dict(request.json or {})
        cursor = value_at(parsed, f"{connection_path}.pageInfo.endCursor")
        return replace(request, json={**asked, "variables": {**asked["variables"], "after": cursor}})

    return paginate


def one_page(request: Request, parsed: Any) -> Request | None:
    """The answer is complete in itself."""
    return None


def in_windows(window: Window, days: int) -> Iterator[Window]:
    """`window` in parts of at most `days` days, the oldest first."""
    start = window.from_day
    while start < window.to_day:
        end = min(start + timedelta(days=days), window.to_day)
        yield replace(window, from_day=start, to_day=end)
        start = end


def in_chunks(items: list[Any], size: int) -> Iterator[list[Any]]:
    """`items`, at most `size` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _shrink(request: Request, parameter: str | None) -> Request | None:
    """The same request with half the page size; None if it cannot be smaller."""
    if parameter is None:
        return None
    variables = (request.json or {}).get("variables")
    if isinstance(variables, dict) and parameter in variables:
        size = int(variables[parameter])
        if size // 2 < SMALLEST_PAGE:
            return None
        return replace(request, json={**(request.json or {}), "variables": {**variables, parameter: size // 2}})
    body = request.json or {}
    size = int(body.get(parameter, request.params.get(parameter, 0)))
    if size // 2 < SMALLEST_PAGE:
        return None
    if parameter in body:
        # Google writes numbers of 64 bits as texts.
        return replace(request, json={**body, parameter: type(body[parameter])(size // 2)})
    return replace(request, params={**request.params, parameter: size // 2})


def _chain(*iterators: Iterator[Page]) -> Iterator[Page]:
    for iterator in iterators:
        yield from iterator
