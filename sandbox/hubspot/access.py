"""Access control and rate limits of HubSpot, and its error messages."""

from __future__ import annotations

import uuid
from typing import Any

from sandbox.credentials import HUBSPOT_CLIENT_ID, HUBSPOT_CLIENT_SECRET, HUBSPOT_REFRESH_TOKEN, HUBSPOT_TOKEN
from sandbox.exchange import Answer, Call, Refusal, World
from sandbox.hubspot.schema import VENDOR

SEARCH_LIMIT, LIST_LIMIT, HISTORY_LIMIT, BATCH_LIMIT, OWNERS_LIMIT, EVENTS_LIMIT = 200, 100, 50, 100, 500, 1_000
SEARCHES_PER_SECOND, CALLS_PER_TEN_SECONDS = 5, 190


def correlation_id(number: int) -> str:
    return str(uuid.UUID(int=0x5A4DB0C5_0000_4000_8000_000000000000 + number))


def error(status: int, message: str, category: str, number: int = 0, **more: Any) -> Answer:
    return Answer(
        {
            "status": "error",
            "message": message,
            "correlationId": correlation_id(number),
            "category": category,
            **more,
        },
        status,
    )


def rate_limit(policy: str, number: int = 0) -> Answer:
    words = {"SECONDLY": "secondly", "TEN_SECONDLY_ROLLING": "ten_secondly_rolling", "DAILY": "daily"}[policy]
    return Answer(
        {
            "status": "error",
            "message": f"You have reached your {words} limit.",
            "errorType": "RATE_LIMIT",
            "correlationId": correlation_id(number),
            "policyName": policy,
        },
        429,
    )


def authorize(world: World, call: Call, is_search: bool = False) -> None:
    token = call.bearer
    number = world.number("hubspot request")
    if token is None:
        raise Refusal(
            error(
                401,
                "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find "
                "more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
                "INVALID_AUTHENTICATION",
                number,
            )
        )
    if token in world.tokens and not world.knows_token(VENDOR, token):
        raise Refusal(error(401, "The OAuth token used to make this call expired.", "EXPIRED_AUTHENTICATION", number))
    if token != HUBSPOT_TOKEN and token not in world.tokens:
        raise Refusal(
            error(
                401,
                "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find "
                "more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
                "INVALID_AUTHENTICATION",
                number,
            )
        )
    if world.settings.rate_limits:
        if is_search and world.exceeds("hubspot search", SEARCHES_PER_SECOND, 1):
            raise Refusal(rate_limit("SECONDLY", number))
        if world.exceeds("hubspot", CALLS_PER_TEN_SECONDS, 10):
            raise Refusal(rate_limit("TEN_SECONDLY_ROLLING", number))


def invalid(message: str, **more: Any) -> Refusal:
    return Refusal(error(400, message, "VALIDATION_ERROR", **more))


def give_token(world: World, call: Call, _: dict[str, str]) -> Answer:
    """POST /oauth/2026-09/token: refresh_token and client_credentials."""
    form = call.form
    if (form.get("client_id"), form.get("client_secret")) != (HUBSPOT_CLIENT_ID, HUBSPOT_CLIENT_SECRET):
        return Answer(
            {"status": "BAD_CLIENT_ID", "message": "missing or unknown client id", "category": "VALIDATION_ERROR"}, 400
        )
    if form.get("grant_type") == "refresh_token" and form.get("refresh_token") != HUBSPOT_REFRESH_TOKEN:
        return Answer({"status": "BAD_REFRESH_TOKEN", "message": "missing or invalid refresh token"}, 400)
    if form.get("grant_type") not in ("refresh_token", "client_credentials"):
        return Answer({"status": "BAD_GRANT_TYPE", "message": "missing or unknown grant type"}, 400)
    return Answer(
        {
            "token_type": "bearer",
            "access_token": world.issue_token(VENDOR, "CSandbox"),
            "refresh_token": HUBSPOT_REFRESH_TOKEN,
            "expires_in": min(world.settings.token_seconds, 1_800),
            "hub_id": world.scenario.portal_id,
        }
    )


def json_body(call: Call) -> dict[str, Any]:
    try:
        body = call.json
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise invalid("Invalid input JSON on line 1, column 1: the body is not an object")
    return body


def page_limit(call: Call, default: int, most: int) -> int:
    text = call.query.get("limit", str(default))
    if not text.isdigit() or not 0 < int(text) <= most:
        raise invalid(f"The limit must be between 1 and {most}, got {text}")
    return int(text)


def start_after(call: Call) -> int:
    text = call.query.get("after", "") or "0"
    if not text.isdigit():
        raise invalid(f"after is not a valid paging cursor: {text}")
    return int(text)
