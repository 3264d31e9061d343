"""Requests to Shopify: pages for short windows, bulk operations for long ones."""

import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from tempfile import TemporaryFile
from typing import IO, Any

from funnel.contract import Connection, Stream, Window
from funnel.rest import auth, bodies, errors, jobs, messages, pages
from funnel.rest.client import Client, Dialect, connect
from funnel.rest.errors import (
    QuotaExhausted,
    Refused,
    RestartWindow,
    refuse,
)
from funnel.rest.listing import ids_body, ids_of
from funnel.sources.shopify.errors import diagnose

DEFAULT_VERSION = "2026-10"


DEFAULT_PAGE_SIZE = 50


NESTED_PAGE_SIZE = 50


LARGEST_PAGE_SIZE = 250


# For more days than this, one bulk operation costs less than its pages.
DEFAULT_BULK_DAYS = 31


# Without the scope read_all_orders, older orders are hidden from the app, and no message says so.
VISIBLE_DAYS = 59


ORDERS_IN_A_BODY = 500


BUCKETS = 64


_MONEY = "{ shopMoney { amount currencyCode } }"


_LINE = f"""id title sku quantity currentQuantity product {{ legacyResourceId }}
originalTotalSet {_MONEY} discountAllocations {{ allocatedAmountSet {_MONEY} }} taxLines {{ priceSet {_MONEY} }}"""


_REFUND_LINE = f"quantity lineItem {{ id }} subtotalSet {_MONEY} totalTaxSet {_MONEY}"


_REFUND = f"id createdAt totalRefundedSet {_MONEY}"


_PAGE = "pageInfo { hasNextPage endCursor }"


# The full address and the name of the customer are never requested.
_ORDER = """id legacyResourceId name createdAt updatedAt processedAt cancelledAt test displayFinancialStatus sourceName
currencyCode taxesIncluded email tags discountCodes
subtotalPriceSet { shopMoney { amount } }
customAttributes { key value }
customer { legacyResourceId }
billingAddress { countryCodeV2 }
customerJourneySummary { lastVisit { utmParameters { source medium campaign } } }"""


def fetch(connection: Connection, stream: Stream, window: Window) -> Iterator[bytes]:
    """One shop."""
    with connect(DIALECT, connection) as client:
        if stream.name == "shops":
            fields = " ".join(column.path for column in stream.columns)
            yield client.ask(_ask(client, f"{{ shop {{ {fields} }} }}", {}, "data")).body
            return
        _require_old_orders(client, window)
        if len(window.days) > int(connection.extra.get("bulk_days", DEFAULT_BULK_DAYS)):
            yield from _in_bulk(client, window)
        else:
            yield from _in_pages(client, window)


def records(stream: Stream, body: bytes) -> Iterator[Any]:
    """The orders of one body; the shop is a body of its own."""
    parsed = bodies.read_json(body)
    if stream.name == "shops":
        yield messages.value_at(parsed, "data.shop")
    else:
        yield from bodies.listed(parsed, "data.orders.nodes")


def list_ids(connection: Connection, _: Stream, window: Window) -> Iterator[bytes]:
    """The ids of all orders that the app may see, 250 a call: Shopify does not report deleted orders.

    Without the scope read_all_orders older orders are hidden, not deleted: the listing states from when on it is
    complete.
    """
    with connect(DIALECT, connection) as client:
        since = None
        if not _sees_all_orders(client):
            # One day less than is visible: the listing may be taken late on the day after the window.
            since = datetime.combine(window.to_day - timedelta(days=VISIBLE_DAYS - 1), time(), UTC)
        query = """query($query: String!, $first: Int!, $after: String) {
orders(first: $first, after: $after, query: $query, sortKey: CREATED_AT) {
nodes { legacyResourceId } pageInfo { hasNextPage endCursor } } }"""
        condition = f"created_at:>='{since:%Y-%m-%dT%H:%M:%SZ}'" if since else ""
        variables = {"query": condition, "first": LARGEST_PAGE_SIZE, "after": None}
        request = _ask(client, query, variables, "data.orders.nodes")
        for page in pages.read_pages(client, request, _NEXT, page_size_parameter="first"):
            orders = page.parsed["data"]["orders"]["nodes"]
            yield ids_body(ids_of(client, request, orders, "legacyResourceId"), since)


def _sees_all_orders(client: Client) -> bool:
    request = _ask(client, "{ currentAppInstallation { accessScopes { handle } } }", {}, "data")
    scopes = messages.value_at(client.ask(request).parsed, "data.currentAppInstallation.accessScopes") or ()
    return "read_all_orders" in {scope.get("handle") for scope in scopes}


def _require_old_orders(client: Client, window: Window) -> None:
    if datetime.now(UTC).date() - window.from_day <= timedelta(days=VISIBLE_DAYS) or _sees_all_orders(client):
        return
    advice = "Ask Shopify for the scope read_all_orders for this app, or read the last 60 days only."
    message = "the app sees orders of the last 60 days only, and older days were asked for"
    request = _ask(client, "{ currentAppInstallation { accessScopes { handle } } }", {}, "data")
    raise client.fail(Refused, message, request, advice=advice)


def _order_fields(client: Client) -> str:
    namespace, _, key = str(client.connection.extra.get("opportunity_metafield", "funnel.opportunity_id")).partition(
        "."
    )
    return f'{_ORDER}\nopportunity: metafield(namespace: "{namespace}", key: "{key}") {{ value }}'


def _in_pages(client: Client, window: Window) -> Iterator[bytes]:
    size = min(int(client.connection.extra.get("page_size", DEFAULT_PAGE_SIZE)), LARGEST_PAGE_SIZE)
    nested = min(size, NESTED_PAGE_SIZE)
    query = f"""query($query: String!, $first: Int!, $after: String) {{
orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{ nodes {{ {_order_fields(client)}
lineItems(first: {nested}) {{ nodes {{ {_LINE} }} {_PAGE} }}
refunds {{ {_REFUND} refundLineItems(first: {nested}) {{ nodes {{ {_REFUND_LINE} }} {_PAGE} }} }} }} {_PAGE} }} }}"""
    variables = {"query": _changed_within(window), "first": size, "after": None}
    request = _ask(client, query, variables, "data.orders.nodes")
    for page in pages.read_pages(client, request, _NEXT, page_size_parameter="first"):
        orders = page.parsed["data"]["orders"]["nodes"]
        # Every order is checked, also after the first one that was cut.
        if sum(_complete(client, order) for order in orders):
            yield client.clean_body(bodies.write_json({"data": {"orders": {"nodes": orders}}}))
        else:
            yield page.body


def _complete(client: Client, order: Any) -> bool:
    """Read the lines of an order and of each refund that did not fit into the first page; returns true if there were
    any.
    """
    if not isinstance(order, dict):
        return False
    parts = [("Order", order, "lineItems", _LINE)]
    parts += [("Refund", refund, "refundLineItems", _REFUND_LINE) for refund in _refunds(order)]
    was_cut = False
    for kind, parent, name, fields in parts:
        if messages.value_at(parent, f"{name}.pageInfo.hasNextPage"):
            was_cut = True
            after = parent[name]["pageInfo"]["endCursor"]
            nodes = bodies.listed(parent, f"{name}.nodes")
            parent[name] = {"nodes": [*nodes, *_rest(client, kind, parent["id"], name, fields, after)]}
    return was_cut


def _refunds(order: Any) -> list[dict[str, Any]]:
    refunds = messages.value_at(order, "refunds")
    return [refund for refund in refunds if messages.value_at(refund, "id")] if isinstance(refunds, list) else []


def _rest(client: Client, kind: str, node_id: str, name: str, fields: str, after: str | None) -> Iterator[Any]:
    query = f"""query($id: ID!, $first: Int!, $after: String) {{ node(id: $id) {{ ... on {kind} {{
{name}(first: $first, after: $after) {{ nodes {{ {fields} }} {_PAGE} }} }} }} }}"""
    variables = {"id": node_id, "first": LARGEST_PAGE_SIZE, "after": after}
    request = _ask(client, query, variables, f"data.node.{name}.nodes")
    following = pages.by_cursor_in_variables(f"data.node.{name}")
    for page in pages.read_pages(client, request, following, page_size_parameter="first"):
        yield from page.parsed["data"]["node"][name]["nodes"]


_NEXT = pages.by_cursor_in_variables("data.orders")


def _changed_within(window: Window) -> str:
    # Without quotes Shopify ignores the time of a date-time.
    condition = f"updated_at:>='{window.from_day}T00:00:00Z'"
    return condition if window.until_now else f"{condition} AND updated_at:<'{window.to_day}T00:00:00Z'"


def _ask(client: Client, query: str, variables: dict[str, Any], expects: str) -> messages.Request:
    return messages.Request(
        "POST",
        f"/admin/api/{client.connection.extra.get('version', DEFAULT_VERSION)}/graphql.json",
        expects=expects if expects.endswith("nodes") else None,
        json={"query": query, "variables": variables},
        lacks=lambda request, parsed: None if messages.value_at(parsed, expects) is not None else f"without {expects}",
    )


def _in_bulk(client: Client, window: Window) -> Iterator[bytes]:
    """Submit, wait, download. Children are separate lines, anywhere in the file, and name their parents."""
    query = f"""{{ orders(query: "{_changed_within(window)}") {{ edges {{ node {{ {_order_fields(client)}
lineItems {{ edges {{ node {{ {_LINE} }} }} }} refunds {{ {_REFUND} }} }} }} }} }}"""
    done = _run(client, query)
    if done.get("url") is None:
        # An operation that found nothing has no file.
        return
    link = messages.Request("GET", done["url"])
    with client.download(link, lambda file: _lacks(file, int(done.get("objectCount") or 0))) as file:
        for orders in _families(file):
            for chunk in pages.in_chunks(orders, ORDERS_IN_A_BODY):
                _refunded_lines(client, chunk)
                yield client.clean_body(bodies.write_json({"data": {"orders": {"nodes": chunk}}}))


def _run(client: Client, query: str) -> dict[str, Any]:
    submit = """mutation($query: String!) { bulkOperationRunQuery(query: $query, groupObjects: false) {
bulkOperation { id status } userErrors { field message } } }"""
    request = _ask(client, submit, {"query": query}, "data.bulkOperationRunQuery")
    answer = client.ask(request).parsed["data"]["bulkOperationRunQuery"]
    if answer.get("userErrors"):
        message = str(answer["userErrors"][0].get("message", "no message"))
        if "already in progress" in message:
            raise client.fail(QuotaExhausted, message, request, wait_seconds=300.0)
        raise client.fail(Refused, message, request)
    poll = """query($id: ID!) { node(id: $id) { ... on BulkOperation {
id status errorCode objectCount url partialDataUrl } } }"""
    state = _ask(client, poll, {"id": answer["bulkOperation"]["id"]}, "data.node")
    done: dict[str, Any] = jobs.await_job(client, state, _is_over).parsed["data"]["node"]
    if done["status"] != "COMPLETED":
        message = f"the bulk operation ended as {done['status']} ({done.get('errorCode') or 'no error code'})"
        raise client.fail(RestartWindow, message, state)
    return done


def _is_over(parsed: Any) -> bool:
    return messages.value_at(parsed, "data.node.status") not in ("CREATED", "RUNNING", "CANCELING")


def _lacks(file: IO[bytes], due: int) -> str | None:
    found = 0
    for line in file:
        found += 1
        if not line.endswith(b"\n") and found < due:
            break
    return f"the file has {found} lines where {due} were expected" if found < due else None


def _families(file: IO[bytes]) -> Iterator[list[Any]]:
    """Orders with their lines, a part of the file at a time: lines are first distributed to buckets by order.

    A line that is not an order and belongs to none stays a record by itself, which the load quarantines.
    """
    buckets = [TemporaryFile() for _ in range(BUCKETS)]  # noqa: SIM115 - closed below
    try:
        for text in file:
            if text.strip():
                record = _read_line(text)
                family = messages.value_at(record, "__parentId") or messages.value_at(record, "id")
                buckets[zlib.crc32(repr(family).encode()) % BUCKETS].write(text.rstrip(b"\n") + b"\n")
        for bucket in buckets:
            bucket.seek(0)
            orders: dict[str, dict[str, Any]] = {}
            children: list[dict[str, Any]] = []
            strange: list[Any] = []
            for text in bucket:
                record = _read_line(text)
                if not isinstance(record, dict) or not isinstance(record.get("__parentId", record.get("id")), str):
                    strange.append(record)
                elif "__parentId" in record:
                    children.append(record)
                else:
                    orders[record["id"]] = {**record, "lineItems": {"nodes": []}}
            for child in children:
                order = orders.get(child["__parentId"])
                if order is None:
                    strange.append(child)
                else:
                    del child["__parentId"]
                    order["lineItems"]["nodes"].append(child)
            yield [*orders.values(), *strange]
    finally:
        for bucket in buckets:
            bucket.close()


def _read_line(text: bytes) -> Any:
    try:
        return bodies.read_json(text)
    except errors.UnreadableBody:
        return bodies.read_text(text)


def _refunded_lines(client: Client, orders: list[dict[str, Any]]) -> None:
    """The lines of refunds, read by id: a bulk operation refuses a connection inside a list, and refunds are a list."""
    refunds = {str(refund["id"]): refund for order in orders for refund in _refunds(order)}
    query = f"""query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Refund {{ id
refundLineItems(first: {NESTED_PAGE_SIZE}) {{ nodes {{ {_REFUND_LINE} }} {_PAGE} }} }} }} }}"""
    for ids in pages.in_chunks(list(refunds), DEFAULT_PAGE_SIZE):
        found = client.ask(_ask(client, query, {"ids": ids}, "data.nodes")).parsed["data"]["nodes"]
        for node in found:
            if isinstance(node, dict) and node.get("id") in refunds:
                refunds[node["id"]]["refundLineItems"] = node.get("refundLineItems")
    for order in orders:
        _complete(client, order)


def _sign(connection: Connection, token: str, request: messages.Request) -> messages.Request:
    return replace(request, headers={**request.headers, "X-Shopify-Access-Token": token})


def _log_in(client: Client) -> auth.Token:
    """A token of 24 hours for the app's credentials; a connection without a login holds a permanent token."""
    connection = client.connection
    if not connection.login:
        if not connection.password:
            advice = "Write client id and secret into login and password, or an old custom app's token into password."
            raise refuse("shopify", connection, "the connection lacks its credentials", advice)
        return auth.Token(connection.password, is_fetched=False)
    form = {
        "grant_type": "client_credentials",
        "client_id": connection.login,
        "client_secret": connection.password or "",
    }
    answer = client.ask_for_token(messages.Request("POST", "/admin/oauth/access_token", form=form))
    return auth.token_of(answer)


DIALECT = Dialect("shopify", sign=_sign, diagnose=diagnose, login=_log_in)
