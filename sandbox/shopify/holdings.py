"""The orders of the shop in the format of Shopify's answers, and their search."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from sandbox.clock import DAY, instant, moment
from sandbox.exchange import Refusal, World, decode_cursor, encode_cursor
from sandbox.graphql import GraphQLError, Nodes
from sandbox.purchases import Back, Line
from sandbox.records import State
from sandbox.scenario import Shop
from sandbox.shopify.access import plain_error


def _amount(cents: int) -> str:
    """12.0, 12.5, 12.34."""
    whole, part = divmod(abs(cents), 100)
    text = f"{whole}.{part:02d}"
    return ("-" if cents < 0 else "") + (text[:-1] if text.endswith("0") else text)


def _money(cents: int, shop: Shop) -> dict[str, Any]:
    money = {"__typename": "MoneyV2", "amount": _amount(cents), "currencyCode": shop.currency}
    return {"__typename": "MoneyBag", "shopMoney": money, "presentmentMoney": money}


def written_time(at: int | None) -> str | None:
    return None if at is None else instant(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def global_id(kind: str, number: str) -> str:
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
        "id": global_id("Product", f"80{line.product}"),
        "legacyResourceId": f"80{line.product}",
    }
    return {
        "__typename": "LineItem",
        "id": global_id("LineItem", line.number),
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
            "id": global_id("RefundLineItem", f"{refund.number}{place}"),
            "quantity": quantity,
            "lineItem": {"__typename": "LineItem", "id": global_id("LineItem", number)},
            "subtotalSet": _money(cents, shop),
            "totalTaxSet": _money(0, shop),
        }
        for place, (number, quantity, cents) in enumerate(refund.by_line)
    )
    return {
        "__typename": "Refund",
        "id": global_id("Refund", refund.number),
        "legacyResourceId": refund.number,
        "createdAt": written_time(refund.at),
        "updatedAt": written_time(refund.at),
        "note": None,
        "totalRefundedSet": _money(refund.total_cents, shop),
        "refundLineItems": lines,
    }


def _order(state: State, shop: Shop) -> dict[str, Any]:
    return _header(state, shop) | _buyer(state.fields) | _origin(state.fields) | _contents(state.fields, shop)


def _header(state: State, shop: Shop) -> dict[str, Any]:
    fields = state.fields
    return {
        "__typename": "Order",
        "id": global_id("Order", state.id),
        "legacyResourceId": state.id,
        "name": fields["name"],
        "createdAt": written_time(state.created),
        "processedAt": written_time(state.created),
        "updatedAt": written_time(state.modified),
        "cancelledAt": written_time(fields["cancelled"]),
        "cancelReason": "CUSTOMER" if fields["cancelled"] else None,
        "closedAt": None,
        "test": fields["test"],
        "displayFinancialStatus": fields["status"],
        "displayFulfillmentStatus": "FULFILLED",
        "currencyCode": shop.currency,
        "presentmentCurrencyCode": shop.currency,
        "taxesIncluded": False,
        "note": None,
        "tags": list(fields.get("tags", ())),
        "customAttributes": [],
    }


def _buyer(fields: dict[str, Any]) -> dict[str, Any]:
    address = {"__typename": "MailingAddress", "countryCodeV2": fields["country"]} if fields["country"] else None
    return {
        "email": fields["email"],
        "phone": None,
        "customer": {
            "__typename": "Customer",
            "id": global_id("Customer", fields["customer"]),
            "legacyResourceId": fields["customer"],
            "email": fields["email"],
        },
        "billingAddress": address,
        "shippingAddress": address,
    }


def _origin(fields: dict[str, Any]) -> dict[str, Any]:
    """Where the order came from: the last visit, the codes, the deal that it bills."""
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
        "sourceName": fields["source"],
        "discountCodes": [code for code, _, _ in fields["codes"]],
        "discountCode": fields["codes"][0][0] if fields["codes"] else None,
        "customerJourneySummary": {"__typename": "CustomerJourneySummary", "ready": True, "lastVisit": visit},
        "metafield": metafield,
    }


def _contents(fields: dict[str, Any], shop: Shop) -> dict[str, Any]:
    """The lines with what came back of them, and the sums."""
    lines: list[Line] = fields["lines"]
    refunds: tuple[Back, ...] = fields["refunds"]
    back: dict[str, int] = {}
    for refund in refunds:
        for number, quantity, _ in refund.by_line:
            back[number] = back.get(number, 0) + quantity
    gross = sum(line.gross_cents for line in lines)
    discounts = sum(line.discount_cents for line in lines)
    refunded = sum(refund.total_cents for refund in refunds)
    return {
        "subtotalPriceSet": _money(gross - discounts, shop),
        "totalPriceSet": _money(gross - discounts, shop),
        "currentTotalPriceSet": _money(gross - discounts - refunded, shop),
        "totalDiscountsSet": _money(discounts, shop),
        "totalRefundedSet": _money(refunded, shop),
        "totalTaxSet": _money(0, shop),
        "lineItems": Nodes(_line(line, fields["codes"], back.get(line.number, 0), shop) for line in lines),
        "refunds": [_refund(refund, shop) for refund in refunds],
    }


def shop_of(world: World) -> Shop:
    if world.scenario.shop is None:
        raise Refusal(plain_error(404, "Not Found"))
    return world.scenario.shop


def orders_at(world: World, now: int) -> list[dict[str, Any]]:
    shop = shop_of(world)
    version = shop.orders.version(now)
    return list(world.memo(f"orders {version}", lambda: [_order(state, shop) for state in shop.orders.snapshot(now)]))


CONDITION = re.compile(r"(\w+):(>=|<=|>|<|=)?('[^']*'|\"[^\"]*\"|\S+)")
TIMES = {"created_at": "createdAt", "updated_at": "updatedAt", "processed_at": "processedAt"}


def search(orders: list[dict[str, Any]], query: str | None) -> list[dict[str, Any]]:
    """Orders that match a search. The time of a date-time without quotes is ignored, as by Shopify."""
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


def ordered(orders: list[dict[str, Any]], arguments: dict[str, Any]) -> list[dict[str, Any]]:
    key = {"UPDATED_AT": "updatedAt", "CREATED_AT": "createdAt", "PROCESSED_AT": "processedAt"}.get(
        str(arguments.get("sortKey", "PROCESSED_AT")), "legacyResourceId"
    )
    return sorted(orders, key=lambda one: (one[key], one["legacyResourceId"]), reverse=bool(arguments.get("reverse")))


def page_of(nodes: Nodes, arguments: dict[str, Any]) -> tuple[list[tuple[str, dict[str, Any]]], bool]:
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
