"""Access control of Google Ads, and its error messages."""

from __future__ import annotations

import re
from typing import Any

from sandbox.ad_accounts import AdAccount
from sandbox.credentials import GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET, GOOGLE_MANAGER_ID, GOOGLE_REFRESH_TOKEN
from sandbox.exchange import Answer, Call, Refusal, World

VENDOR = "google_ads"
NEWEST, OLDEST = 26, 23
# The answer of a closed customer account: its state, and the error's kind, code and message.
NOT_ENABLED = (
    "PERMISSION_DENIED",
    "authorizationError",
    "CUSTOMER_NOT_ENABLED",
    "The customer account can't be accessed because it is not yet enabled or has been deactivated.",
)


def failure(
    status: int, state: str, kind: str, code: str, message: str, version: int = NEWEST, **details: Any
) -> dict[str, Any]:
    """The error object of search; searchStream wraps it in an array."""
    error: dict[str, Any] = {"errorCode": {kind: code}, "message": message}
    if details:
        error["details"] = details
    return {
        "error": {
            "code": status,
            "message": {
                400: "Request contains an invalid argument.",
                401: "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or "
                "other valid authentication credential.",
                403: "The caller does not have permission",
                429: "Resource has been exhausted (e.g. check quota).",
            }.get(status, message),
            "status": state,
            "details": [
                {
                    "@type": f"type.googleapis.com/google.ads.googleads.v{version}.errors.GoogleAdsFailure",
                    "errors": [error],
                    "requestId": "sandboxRequest",
                }
            ],
        }
    }


def _refuse(status: int, state: str, kind: str, code: str, message: str) -> Refusal:
    return Refusal(Answer(failure(status, state, kind, code, message), status))


def invalid(kind: str, code: str, message: str) -> Refusal:
    return _refuse(400, "INVALID_ARGUMENT", kind, code, message)


def give_token(world: World, call: Call, _: dict[str, str]) -> Answer:
    """POST /token (oauth2.googleapis.com): refresh tokens only."""
    form = call.form
    if form.get("grant_type") != "refresh_token":
        return Answer(
            {"error": "unsupported_grant_type", "error_description": f"Invalid grant_type: {form.get('grant_type')}"},
            400,
        )
    if (form.get("client_id"), form.get("client_secret")) != (GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET):
        return Answer({"error": "invalid_client", "error_description": "Unauthorized"}, 401)
    if form.get("refresh_token") != GOOGLE_REFRESH_TOKEN:
        return Answer({"error": "invalid_grant", "error_description": "Token has been expired or revoked."}, 400)
    return Answer(
        {
            "access_token": world.issue_token(VENDOR, "ya29.sandbox-"),
            "expires_in": world.settings.token_seconds - 1,
            "scope": "https://www.googleapis.com/auth/adwords",
            "token_type": "Bearer",
        }
    )


def authorize(world: World, call: Call, version: int) -> None:
    if not world.knows_token(VENDOR, call.bearer):
        code = "OAUTH_TOKEN_EXPIRED" if call.bearer in world.tokens else "OAUTH_TOKEN_INVALID"
        raise _refuse(401, "UNAUTHENTICATED", "authenticationError", code, "The OAuth access token is not valid.")
    if version < OLDEST and not world.settings.accept_sunset_versions:
        raise invalid(
            "requestError",
            "UNSUPPORTED_VERSION",
            f" Version v{version} is deprecated. Requests to this version will be blocked.",
        )
    if version > NEWEST:
        raise Refusal(
            Answer(status=404, text="<html><title>Error 404 (Not Found)!!1</title></html>", content_type="text/html")
        )


def customer(world: World, call: Call, customer_id: str) -> AdAccount:
    if not re.fullmatch(r"\d{10}", customer_id):
        raise invalid("requestError", "INVALID_CUSTOMER_ID", f"Invalid customer ID '{customer_id}'.")
    manager = call.headers.get("login-customer-id")
    for account in world.scenario.accounts(VENDOR):
        if account.id == customer_id and manager in (None, "", customer_id, GOOGLE_MANAGER_ID):
            if account.is_closed(call.now):
                raise _refuse(403, *NOT_ENABLED)
            return account
    raise _refuse(
        403,
        "PERMISSION_DENIED",
        "authorizationError",
        "USER_PERMISSION_DENIED",
        "User doesn't have permission to access customer. Note: If you're accessing a client customer, the manager's "
        "customer id must be set in the 'login-customer-id' header.",
    )
