"""GraphQL queries of Shopify, their cost, and operations in bulk."""

from __future__ import annotations

import math
import re
import time
from typing import Any

from sandbox.exchange import Answer, Call, Refusal, World, to_json
from sandbox.graphql import Field, GraphQLError, Nodes, Operation, parse, select
from sandbox.shopify.access import (
    BUCKET,
    LARGEST_COST,
    RESTORED,
    SCOPES,
    authorize,
    cost,
    error,
    plain_error,
    throttled,
)
from sandbox.shopify.holdings import global_id, ordered, orders_at, page_of, search, shop_of, written_time

NEWEST = "2026-10"
OLDEST = "2026-01"
AT_ONCE = 5
CONNECTIONS = ("orders", "lineItems", "refundLineItems")
IN_LISTS = ("refunds",)


def _price(fields: list[Field] | None) -> int:
    """Points of a query: an object costs one, a connection two and one for each member that it may return."""
    points = 0
    for one in fields or ():
        if one.below is not None:
            first = one.arguments.get("first")
            points += 2 + math.ceil(first / 5) if isinstance(first, int) else 1
            points += min(_price(one.below), 40)
    return points


def _root(world: World, now: int, call: Call) -> dict[str, Any]:
    shop = shop_of(world)

    def orders(arguments: dict[str, Any]) -> Nodes:
        asked = {name: arguments.get(name) for name in ("query", "sortKey", "reverse")}
        found: Nodes = world.memo(
            f"search {shop.orders.version(now)} {asked}",
            lambda: Nodes(ordered(search(orders_at(world, now), arguments.get("query")), arguments)),
        )
        return found

    def node(arguments: dict[str, Any]) -> dict[str, Any] | None:
        return _find(world, now, str(arguments.get("id")), call)

    def nodes(arguments: dict[str, Any]) -> list[dict[str, Any] | None]:
        return [_find(world, now, str(one), call) for one in arguments.get("ids") or ()]

    return {
        "__typename": "QueryRoot",
        "shop": {
            "__typename": "Shop",
            "id": global_id("Shop", shop.id),
            "name": shop.name,
            "myshopifyDomain": shop.domain,
            "ianaTimezone": shop.time_zone,
            "currencyCode": shop.currency,
            "plan": {"__typename": "ShopPlan", "displayName": "Basic"},
        },
        "orders": orders,
        "order": node,
        "node": node,
        "nodes": nodes,
        "bulkOperation": node,
        "currentBulkOperation": lambda arguments: _newest_operation(world, call),
        "currentAppInstallation": {
            "__typename": "AppInstallation",
            "accessScopes": [{"__typename": "AccessScope", "handle": scope} for scope in SCOPES],
        },
    }


def _find(world: World, now: int, gid: str, call: Call) -> dict[str, Any] | None:
    kind, _, number = gid.removeprefix("gid://shopify/").partition("/")
    if kind == "Order":
        return next((one for one in orders_at(world, now) if one["legacyResourceId"] == number), None)
    if kind == "Refund":
        return next((one for order in orders_at(world, now) for one in order["refunds"] if one["id"] == gid), None)
    if kind == "BulkOperation":
        return _operation(world, number, call)
    return None


def graphql(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """POST /admin/api/{version}/graphql.json. Raises Refusal."""
    authorize(world, call)
    if not re.fullmatch(r"20\d\d-(01|04|07|10)|unstable", parts["version"]):
        raise Refusal(plain_error(404, "Not Found"))
    # A removed version is answered by the oldest supported one; the header says which one.
    served = min(max(parts["version"], OLDEST), NEWEST)
    try:
        body = call.json
        operation = parse(body["query"], body.get("variables") or {})
    except GraphQLError as problem:
        return error(problem.message, problem.code)
    except (ValueError, KeyError, TypeError):
        return plain_error(400, "Required parameter missing or invalid")
    asked = max(1, _price(operation.fields))
    if asked > LARGEST_COST:
        return error(
            f"Query cost is {asked}, which exceeds the single query max cost limit ({LARGEST_COST}).",
            "MAX_COST_EXCEEDED",
        )
    available = _draw(world, asked)
    if available < 0:
        return throttled(asked, available + asked)
    try:
        data = _mutate(world, call, operation) if operation.kind == "mutation" else _query(world, call, operation)
    except GraphQLError as problem:
        return error(problem.message, problem.code)
    return Answer(
        {"data": data, "extensions": cost(asked, asked, available)}, headers={"X-Shopify-API-Version": served}
    )


def _query(world: World, call: Call, operation: Operation) -> Any:
    root = _root(world, call.now, call)
    return select(root, operation.fields, "QueryRoot", page_of)


def _draw(world: World, points: int) -> int:
    """The points left in the bucket after a query; negative if it does not hold enough."""
    if not world.settings.rate_limits:
        return BUCKET - points
    bucket = world.cursors.setdefault("shopify bucket", {"left": float(BUCKET), "at": time.monotonic()})
    at = time.monotonic()
    bucket["left"] = min(float(BUCKET), bucket["left"] + (at - bucket["at"]) * RESTORED)
    bucket["at"] = at
    if bucket["left"] < points:
        return int(bucket["left"]) - points
    bucket["left"] -= points
    return int(bucket["left"])


def _mutate(world: World, call: Call, operation: Operation) -> dict[str, Any]:
    (asked,) = operation.fields
    if asked.name != "bulkOperationRunQuery":
        raise GraphQLError(f"Field '{asked.name}' doesn't exist on type 'Mutation'", "undefinedField")
    operation_id, problem = None, _refuse_bulk(world, str(asked.arguments.get("query", "")))
    if problem is None:
        operation_id = str(900_000 + world.number("shopify bulk"))
        world.cursors[f"bulk {operation_id}"] = {
            "polls": 0,
            "lines": _bulk_lines(world, call.now, parse(str(asked.arguments["query"]), {}).fields),
            "created": written_time(call.now),
        }
    payload = {
        "bulkOperation": _operation(world, operation_id, call) if operation_id else None,
        "userErrors": [{"field": ["query"], "message": problem, "code": "INVALID"}] if problem else [],
    }
    return {asked.alias: select(payload, asked.below, "BulkOperationRunQueryPayload", page_of)}


def _refuse_bulk(world: World, text: str) -> str | None:
    running = [one for name, one in world.cursors.items() if name.startswith("bulk ") and not _is_done(world, one)]
    if len(running) >= AT_ONCE:
        return "A bulk query operation for this app and shop is already in progress: limit reached."
    try:
        fields = parse(text, {}).fields
    except GraphQLError as problem:
        return f"Invalid bulk query: {problem.message}"
    if len(fields) != 1 or fields[0].name != "orders":
        return "Bulk queries must contain exactly one top-level connection."
    return _list_with_connection(fields)


def _list_with_connection(fields: list[Field], in_list: bool = False) -> str | None:
    for one in fields:
        if in_list and one.name in CONNECTIONS:
            return "Queries that contain a connection field within a list field are not currently supported."
        below = _list_with_connection(one.below or [], in_list or one.name in IN_LISTS)
        if below:
            return below
    return None


def _bulk_lines(world: World, now: int, fields: list[Field]) -> list[dict[str, Any]]:
    """Parents first, then all children, which name their parents: ungrouped, the default since 2026-01."""
    (asked,) = fields
    orders = ordered(search(orders_at(world, now), asked.arguments.get("query")), {"sortKey": "ID"})
    node = _members(asked)
    parents, children = [], []
    for order in orders:
        plain = [one for one in node if one.name not in CONNECTIONS]
        parents.append(select(order, plain, "Order", page_of))
        for one in node:
            if one.name in CONNECTIONS:
                for child in order[one.name]:
                    children.append({**select(child, _members(one), one.name, page_of), "__parentId": order["id"]})
    return [*parents, *children]


def _members(connection: Field) -> list[Field]:
    for one in connection.below or ():
        if one.name == "edges":
            return next((inner.below or [] for inner in one.below or () if inner.name == "node"), [])
        if one.name == "nodes":
            return one.below or []
    return []


def _is_done(world: World, run: dict[str, Any]) -> bool:
    return bool(run["polls"] > world.settings.report_polls)


def _operation(world: World, number: str, call: Call) -> dict[str, Any] | None:
    run = world.cursors.get(f"bulk {number}")
    if run is None:
        return None
    run["polls"] += 1
    done = _is_done(world, run)
    status = run.get("failed") or ("COMPLETED" if done else "RUNNING" if run["polls"] > 1 else "CREATED")
    has_file = status == "COMPLETED" and run["lines"]
    return {
        "__typename": "BulkOperation",
        "id": global_id("BulkOperation", number),
        "status": status,
        "errorCode": "INTERNAL_SERVER_ERROR" if run.get("failed") else None,
        "createdAt": run["created"],
        "completedAt": run["created"] if done else None,
        "objectCount": str(len(run["lines"])) if done else "0",
        "rootObjectCount": str(sum("__parentId" not in line for line in run["lines"])) if done else "0",
        "fileSize": None,
        "url": f"{call.base_url}/shopify-bulk/{number}.jsonl?signature=made-up" if has_file else None,
        "partialDataUrl": None,
        "type": "QUERY",
    }


def _newest_operation(world: World, call: Call) -> dict[str, Any] | None:
    numbers = [name.removeprefix("bulk ") for name in world.cursors if name.startswith("bulk ")]
    return _operation(world, numbers[-1], call) if numbers else None


def bulk_file(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET of the link of a finished operation; it needs no token."""
    run = world.cursors.get(f"bulk {parts['number']}")
    if run is None or call.query.get("signature") != "made-up":
        return Answer(status=403, text="<Error><Code>AccessDenied</Code></Error>", content_type="application/xml")
    text = "".join(to_json(line).decode() + "\n" for line in run["lines"])
    return Answer(status=200, text=text, content_type="application/jsonl")
