"""Shopify's GraphQL Admin API: orders, the shop, bulk operations, the cost of queries.

Amounts are strings; refusals come as HTTP 200 with `errors`; the cost of a query is an estimate that adds what nested
connections may return instead of multiplying it. Orders cannot be changed through it.
"""

from __future__ import annotations

import re
from typing import Any

from sandbox.exchange import Call, Handler, World, decode_cursor, encode_cursor
from sandbox.shopify.access import VENDOR, give_token
from sandbox.shopify.queries import bulk_file, graphql

__all__ = ["ROUTES", "VENDOR", "hollow", "is_later_page", "rows_of", "stream_of"]

ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", r"/admin/oauth/access_token", give_token),
    ("POST", r"/admin/api/(?P<version>[^/]+)/graphql\.json", graphql),
    ("GET", r"/shopify-bulk/(?P<number>\d+)\.jsonl", bulk_file),
)


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
