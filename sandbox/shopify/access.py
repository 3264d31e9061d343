"""Access control of Shopify, and its error messages."""

from __future__ import annotations

from typing import Any

from sandbox.credentials import SHOPIFY_CLIENT_ID, SHOPIFY_CLIENT_SECRET, SHOPIFY_TOKEN
from sandbox.exchange import Answer, Call, Refusal, World

VENDOR = "shopify"
SCOPES = ("read_orders", "read_all_orders", "read_customers", "read_products")
LARGEST_COST, BUCKET, RESTORED = 1_000, 2_000, 100


def plain_error(status: int, message: str) -> Answer:
    return Answer({"errors": message}, status)


def error(message: str, code: str | None = None, **more: Any) -> Answer:
    """A refusal in GraphQL's form: HTTP 200."""
    body: dict[str, Any] = {"message": message}
    if code:
        body["extensions"] = {"code": code}
    return Answer({"errors": [body], **more})


def throttled(asked: int = 642, available: int = 42, rate: int = RESTORED) -> Answer:
    return error("Throttled", "THROTTLED", extensions=cost(asked, None, available, rate))


def cost(asked: int, actual: int | None, available: int, rate: int = RESTORED) -> dict[str, Any]:
    status = {"maximumAvailable": BUCKET, "currentlyAvailable": available, "restoreRate": rate}
    return {"cost": {"requestedQueryCost": asked, "actualQueryCost": actual, "throttleStatus": status}}


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


def authorize(world: World, call: Call) -> None:
    token = call.headers.get("x-shopify-access-token")
    if token == SHOPIFY_TOKEN and token not in world.revoked:
        return
    if not world.knows_token(VENDOR, token):
        message = "[API] Invalid API key or access token (unrecognized login or wrong password)"
        raise Refusal(plain_error(401, message))
