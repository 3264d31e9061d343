"""Shopify's GraphQL Admin API: orders, the shop, bulk operations, the cost of queries.

Amounts are strings; refusals come as HTTP 200 with `errors`; the cost of a query is an estimate that adds what nested
connections may return instead of multiplying it. Orders cannot be changed here.
"""

from __future__ import annotations

import math
import re
import time
from datetime import date
from typing import Any

from sandbox.clock import DAY, instant, moment
from sandbox.credentials import SHOPIFY_CLIENT_ID, SHOPIFY_CLIENT_SECRET, SHOPIFY_TOKEN
from sandbox.exchange import Answer, Call, Handler, Refusal, World, decode_cursor, encode_cursor, to_json
from sandbox.graphql import Field, GraphQLError, Nodes, Operation, parse, select
from sandbox.records import State
from sandbox.scenario import Shop
from sandbox.storefront import Back, Line

VENDOR = "shopify"
NEWEST = "2026-10"
OLDEST = "2026-01"
SCOPES = ("read_orders", "read_all_orders", "read_customers", "read_products")
LARGEST_COST, BUCKET, RESTORED = 1_000, 2_000, 100
AT_ONCE = 5
CONNECTIONS = ("orders", "lineItems", "refundLineItems")
IN_LISTS = ("refunds",)


# --- errors ---------------------------------------------------------------------------------------------------------


def plain_error(status: int, message: str) -> Answer:
    return Answer({"errors": message}, status)


def error(message: str, code: str | None = None, **more: Any) -> Answer:
    """A refusal as GraphQL gives it: HTTP 200."""
    body: dict[str, Any] = {"message": message}
    if code:
        body["extensions"] = {"code": code}
    return Answer({"errors": [body], **more})


def throttled(asked: int = 642, available: int = 42, rate: int = RESTORED) -> Answer:
    return error("Throttled", "THROTTLED", extensions=_cost(asked, None, available, rate))


def _cost(asked: int, actual: int | None, available: int, rate: int = RESTORED) -> dict[str, Any]:
    status = {"maximumAvailable": BUCKET, "currentlyAvailable": available, "restoreRate": rate}
    return {"cost": {"requestedQueryCost": asked, "actualQueryCost": actual, "throttleStatus": status}}


# --- tokens ---------------------------------------------------------------------------------------------------------


def give_token(world: World, call: Call, _: dict[str, str]) -> Answer:
    """POST /admin/oauth/access_token: client credentials of a Dev Dashboard app."""
    form = call.form
    if call.headers.get("content-type", "").startswith("application/json"):
        try:
            form = call.json
        except ValueError:
            form = {}
    if form.get("grant_type") != "client_credentials":
        return Answer({"error": "unsupported_grant_type", "error_description": "Unsupported grant type."}, 400)
    if (form.get("client_id"), form.get("client_secret")) != (SHOPIFY_CLIENT_ID, SHOPIFY_CLIENT_SECRET):
        message = "The client_id or client_secret provided is incorrect."
        return Answer({"error": "invalid_client", "error_description": message}, 401)
    token = world.issue_token(VENDOR, "shpat_sandbox")
    seconds = min(86_399, world.settings.token_seconds * 24 - 1)
    return Answer({"access_token": token, "scope": ",".join(SCOPES), "expires_in": seconds})


def _authorize(world: World, call: Call) -> None:
    token = call.headers.get("x-shopify-access-token")
    if token == SHOPIFY_TOKEN and token not in world.revoked:
        return
    if not world.knows_token(VENDOR, token):
        message = "[API] Invalid API key or access token (unrecognized login or wrong password)"
        raise Refusal(plain_error(401, message))


# --- what the shop holds --------------------------------------------------------------------------------------------


def _amount(cents: int) -> str:
    """12.0, 12.5, 12.34."""
    whole, part = divmod(abs(cents), 100)
    text = f"{whole}.{part:02d}"
    return ("-" if cents < 0 else "") + (text[:-1] if text.endswith("0") else text)


def _money(cents: int, shop: Shop) -> dict[str, Any]:
    money = {"__typename": "MoneyV2", "amount": _amount(cents), "currencyCode": shop.currency}
    return {"__typename": "MoneyBag", "shopMoney": money, "presentmentMoney": money}


def _time(at: int | None) -> str | None:
    return None if at is None else instant(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def _gid(kind: str, number: str) -> str:
    return f"gid://shopify/{kind}/{number}"


def _line(line: Line, codes: list[tuple[str, int, dict[str, int]]], back: int, shop: Shop) -> dict[str, Any]:
    allocations = [
        {
            "__typename": "DiscountAllocation",
            "allocatedAmountSet": _money(taken[line.number], shop),
            "discountApplication": {"__typename": "DiscountCodeApplication", "code": code},
        }
        for code, _, taken in codes
    ]
    product = {
        "__typename": "Product",
        "id": _gid("Product", f"80{line.product}"),
        "legacyResourceId": f"80{line.product}",
    }
    return {
        "__typename": "LineItem",
        "id": _gid("LineItem", line.number),
        "title": line.title,
        "name": line.title,
        "sku": line.sku,
        "quantity": line.quantity,
        "currentQuantity": line.quantity - back,
        "refundableQuantity": line.quantity - back,
        "product": product | {"title": line.title},
        "originalUnitPriceSet": _money(line.unit_cents, shop),
        "originalTotalSet": _money(line.gross_cents, shop),
        "discountedTotalSet": _money(line.gross_cents, shop),
        "discountAllocations": allocations,
        "taxLines": [],
        "taxable": False,
        "isGiftCard": False,
        "vendor": shop.name,
    }


def _refund(refund: Back, shop: Shop) -> dict[str, Any]:
    lines = Nodes(
        {
            "__typename": "RefundLineItem",
            "id": _gid("RefundLineItem", f"{refund.number}{place}"),
            "quantity": quantity,
            "lineItem": {"__typename": "LineItem", "id": _gid("LineItem", number)},
            "subtotalSet": _money(cents, shop),
            "totalTaxSet": _money(0, shop),
        }
        for place, (number, quantity, cents) in enumerate(refund.by_line)
    )
    return {
        "__typename": "Refund",
        "id": _gid("Refund", refund.number),
        "legacyResourceId": refund.number,
        "createdAt": _time(refund.at),
        "updatedAt": _time(refund.at),
        "note": None,
        "totalRefundedSet": _money(refund.total_cents, shop),
        "refundLineItems": lines,
    }


def _order(state: State, shop: Shop) -> dict[str, Any]:
    fields = state.fields
    lines: list[Line] = fields["lines"]
    refunds: tuple[Back, ...] = fields["refunds"]
    back: dict[str, int] = {}
    for refund in refunds:
        for number, quantity, _ in refund.by_line:
            back[number] = back.get(number, 0) + quantity
    gross = sum(line.gross_cents for line in lines)
    discounts = sum(line.discount_cents for line in lines)
    refunded = sum(refund.total_cents for refund in refunds)
    address = {"__typename": "MailingAddress", "countryCodeV2": fields["country"]} if fields["country"] else None
    utm = fields["utm"]
    parameters = (
        {"source": utm[0], "medium": utm[1], "campaign": utm[2], "content": None, "term": None} if utm else None
    )
    visit = {"__typename": "CustomerVisit", "source": utm[0] if utm else "direct", "utmParameters": parameters}
    deal = {"funnel.opportunity_id": fields["deal"]} if fields["deal"] else {}

    def metafield(arguments: dict[str, Any]) -> dict[str, Any] | None:
        value = deal.get(f"{arguments.get('namespace')}.{arguments.get('key')}")
        return {"__typename": "Metafield", "value": value, "type": "single_line_text_field"} if value else None

    return {
        "__typename": "Order",
        "id": _gid("Order", state.id),
        "legacyResourceId": state.id,
        "name": fields["name"],
        "createdAt": _time(state.created),
        "processedAt": _time(state.created),
        "updatedAt": _time(state.modified),
        "cancelledAt": _time(fields["cancelled"]),
        "cancelReason": "CUSTOMER" if fields["cancelled"] else None,
        "closedAt": None,
        "test": fields["test"],
        "displayFinancialStatus": fields["status"],
        "displayFulfillmentStatus": "FULFILLED",
        "currencyCode": shop.currency,
        "presentmentCurrencyCode": shop.currency,
        "taxesIncluded": False,
        "email": fields["email"],
        "phone": None,
        "note": None,
        "sourceName": fields["source"],
        "tags": list(fields.get("tags", ())),
        "discountCodes": [code for code, _, _ in fields["codes"]],
        "discountCode": fields["codes"][0][0] if fields["codes"] else None,
        "customAttributes": [],
        "customer": {
            "__typename": "Customer",
            "id": _gid("Customer", fields["customer"]),
            "legacyResourceId": fields["customer"],
            "email": fields["email"],
        },
        "billingAddress": address,
        "shippingAddress": address,
        "customerJourneySummary": {"__typename": "CustomerJourneySummary", "ready": True, "lastVisit": visit},
        "metafield": metafield,
        "subtotalPriceSet": _money(gross - discounts, shop),
        "totalPriceSet": _money(gross - discounts, shop),
        "currentTotalPriceSet": _money(gross - discounts - refunded, shop),
        "totalDiscountsSet": _money(discounts, shop),
        "totalRefundedSet": _money(refunded, shop),
        "totalTaxSet": _money(0, shop),
        "lineItems": Nodes(_line(line, fields["codes"], back.get(line.number, 0), shop) for line in lines),
        "refunds": [_refund(refund, shop) for refund in refunds],
    }


def _shop(world: World) -> Shop:
    if world.scenario.shop is None:
        raise Refusal(plain_error(404, "Not Found"))
    return world.scenario.shop


def _orders(world: World, now: int) -> list[dict[str, Any]]:
    shop = _shop(world)
    version = shop.orders.version(now)
    return list(world.memo(f"orders {version}", lambda: [_order(state, shop) for state in shop.orders.snapshot(now)]))


# --- searching ------------------------------------------------------------------------------------------------------

CONDITION = re.compile(r"(\w+):(>=|<=|>|<|=)?('[^']*'|\"[^\"]*\"|\S+)")
TIMES = {"created_at": "createdAt", "updated_at": "updatedAt", "processed_at": "processedAt"}


def _search(orders: list[dict[str, Any]], query: str | None) -> list[dict[str, Any]]:
    """Orders that a search finds. Where a date-time has no quotes, its time is ignored, as by Shopify."""
    for name, sign, value in CONDITION.findall(query or ""):
        quoted = value[0] in "'\""
        value = value.strip("'\"")
        if name in TIMES:
            try:
                bound = moment(value if quoted else value[:10])
                date.fromisoformat(value[:10])
            except ValueError:
                # An invalid search term is ignored, with a warning that few clients read.
                continue
            orders = [one for one in orders if _compares(moment(str(one[TIMES[name]])), sign or "=", bound)]
        elif name in ("id", "name", "test"):
            key = {"id": "legacyResourceId"}.get(name, name)
            orders = [one for one in orders if str(one[key]).lower() == value.lower()]
    return orders


def _compares(left: int, sign: str, right: int) -> bool:
    day = left - left % DAY
    return {">=": left >= right, "<=": left <= right, ">": left > right, "<": left < right, "=": day == right}[sign]


def _ordered(orders: list[dict[str, Any]], arguments: dict[str, Any]) -> list[dict[str, Any]]:
    key = {"UPDATED_AT": "updatedAt", "CREATED_AT": "createdAt", "PROCESSED_AT": "processedAt"}.get(
        str(arguments.get("sortKey", "PROCESSED_AT")), "legacyResourceId"
    )
    return sorted(orders, key=lambda one: (one[key], one["legacyResourceId"]), reverse=bool(arguments.get("reverse")))


# --- queries --------------------------------------------------------------------------------------------------------


def _page(nodes: Nodes, arguments: dict[str, Any]) -> tuple[list[tuple[str, dict[str, Any]]], bool]:
    first = arguments.get("first")
    if not isinstance(first, int):
        raise GraphQLError("you must provide one of first or last", "BAD_REQUEST")
    if not 0 < first <= 250:
        raise GraphQLError("first cannot exceed 250 and must be positive", "BAD_REQUEST")
    try:
        start = decode_cursor(arguments["after"])[0] if arguments.get("after") else 0
    except ValueError:
        raise GraphQLError("Invalid cursor for current pagination sort.", "BAD_REQUEST") from None
    page = nodes[start : start + first]
    return [(encode_cursor(start + place + 1), node) for place, node in enumerate(page)], start + first < len(nodes)


def _price(fields: list[Field] | None) -> int:
    """Points a query may cost: an object one, a connection two and one for each member it may return."""
    points = 0
    for one in fields or ():
        if one.below is not None:
            first = one.arguments.get("first")
            points += 2 + math.ceil(first / 5) if isinstance(first, int) else 1
            points += min(_price(one.below), 40)
    return points


def _root(world: World, now: int, call: Call) -> dict[str, Any]:
    shop = _shop(world)

    def orders(arguments: dict[str, Any]) -> Nodes:
        asked = {name: arguments.get(name) for name in ("query", "sortKey", "reverse")}
        found: Nodes = world.memo(
            f"search {shop.orders.version(now)} {asked}",
            lambda: Nodes(_ordered(_search(_orders(world, now), arguments.get("query")), arguments)),
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
            "id": _gid("Shop", shop.id),
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
        return next((one for one in _orders(world, now) if one["legacyResourceId"] == number), None)
    if kind == "Refund":
        return next((one for order in _orders(world, now) for one in order["refunds"] if one["id"] == gid), None)
    if kind == "BulkOperation":
        return _operation(world, number, call)
    return None


def graphql(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """POST /admin/api/{version}/graphql.json."""
    _authorize(world, call)
    if not re.fullmatch(r"20\d\d-(01|04|07|10)|unstable", parts["version"]):
        raise Refusal(plain_error(404, "Not Found"))
    # Versions that are gone fall forward to the oldest that lives; the header says which one answered.
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
        {"data": data, "extensions": _cost(asked, asked, available)}, headers={"X-Shopify-API-Version": served}
    )


def _query(world: World, call: Call, operation: Operation) -> Any:
    root = _root(world, call.now, call)
    return select(root, operation.fields, "QueryRoot", _page)


def _draw(world: World, points: int) -> int:
    """What is left in the bucket after a query; below zero when it does not hold so much."""
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


# --- bulk operations ------------------------------------------------------------------------------------------------


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
            "created": _time(call.now),
        }
    payload = {
        "bulkOperation": _operation(world, operation_id, call) if operation_id else None,
        "userErrors": [{"field": ["query"], "message": problem, "code": "INVALID"}] if problem else [],
    }
    return {asked.alias: select(payload, asked.below, "BulkOperationRunQueryPayload", _page)}


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
    """Parents first, then all children, which say whose they are: ungrouped, as by default since 2026-01."""
    (asked,) = fields
    orders = _ordered(_search(_orders(world, now), asked.arguments.get("query")), {"sortKey": "ID"})
    node = _members(asked)
    parents, children = [], []
    for order in orders:
        plain = [one for one in node if one.name not in CONNECTIONS]
        parents.append(select(order, plain, "Order", _page))
        for one in node:
            if one.name in CONNECTIONS:
                for child in order[one.name]:
                    children.append({**select(child, _members(one), one.name, _page), "__parentId": order["id"]})
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
        "id": _gid("BulkOperation", number),
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
    """GET of the link that a finished operation gives; it needs no token."""
    run = world.cursors.get(f"bulk {parts['number']}")
    if run is None or call.query.get("signature") != "made-up":
        return Answer(status=403, text="<Error><Code>AccessDenied</Code></Error>", content_type="application/xml")
    text = "".join(to_json(line).decode() + "\n" for line in run["lines"])
    return Answer(status=200, text=text, content_type="application/jsonl")


ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", r"/admin/oauth/access_token", give_token),
    ("POST", r"/admin/api/(?P<version>[^/]+)/graphql\.json", graphql),
    ("GET", r"/shopify-bulk/(?P<number>\d+)\.jsonl", bulk_file),
)


# --- what faults need to know ---------------------------------------------------------------------------------------


def stream_of(world: World, call: Call) -> str | None:
    if call.path.endswith("/access_token"):
        return None
    text = call.body.decode("utf-8", "replace")
    return "shops" if re.search(r"\{\s*shop\s*\{", text) else "orders"


def is_later_page(call: Call) -> bool:
    return bool((call.json.get("variables") or {}).get("after")) if call.body else False


def rows_of(payload: Any) -> list[Any] | None:
    orders = payload.get("data", {}).get("orders") if isinstance(payload, dict) and payload.get("data") else None
    return orders.get("nodes") if isinstance(orders, dict) else None


def hollow(call: Call, payload: Any) -> Any:
    """The answer as an empty page that is not the last."""
    offset, spelling = decode_cursor(call.json["variables"]["after"])
    info = {"hasNextPage": True, "endCursor": encode_cursor(offset, spelling + 1)}
    return {**payload, "data": {"orders": {"nodes": [], "pageInfo": info}}}
