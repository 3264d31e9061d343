"""Access control of Salesforce, and its error messages."""

from __future__ import annotations

import time
from typing import Any

import jwt

from sandbox.credentials import (
    SALESFORCE_CLIENT_ID,
    SALESFORCE_CLIENT_SECRET,
    SALESFORCE_REFRESH_TOKEN,
    SALESFORCE_SUBJECT,
)
from sandbox.exchange import Answer, Call, Refusal, World
from sandbox.salesforce.schema import DAILY_REQUESTS, NEWEST, RETIRED, VENDOR


def error(status: int, code: str, message: str) -> Answer:
    return Answer([{"message": message, "errorCode": code}], status)


def refuse(status: int, code: str, message: str) -> Refusal:
    return Refusal(error(status, code, message))


def give_token(world: World, call: Call, _: dict[str, str]) -> Answer:
    """POST /services/oauth2/token: client_credentials (Basic or form), refresh_token, jwt-bearer."""
    form = call.form
    grant = form.get("grant_type")
    client = call.basic or (form.get("client_id"), form.get("client_secret"))
    if grant == "client_credentials":
        if client != (SALESFORCE_CLIENT_ID, SALESFORCE_CLIENT_SECRET):
            return Answer({"error": "invalid_client", "error_description": "invalid client credentials"}, 400)
    elif grant == "refresh_token":
        if form.get("client_id", client[0]) != SALESFORCE_CLIENT_ID:
            return Answer({"error": "invalid_client_id", "error_description": "client identifier invalid"}, 400)
        if form.get("refresh_token") != SALESFORCE_REFRESH_TOKEN:
            return Answer({"error": "invalid_grant", "error_description": "expired access/refresh token"}, 400)
    elif grant == "urn:ietf:params:oauth:grant-type:jwt-bearer":
        if refusal := _check_assertion(form.get("assertion", "")):
            return Answer({"error": "invalid_grant", "error_description": refusal}, 400)
    else:
        return Answer({"error": "unsupported_grant_type", "error_description": "grant type not supported"}, 400)
    return Answer(
        {
            "access_token": world.issue_token(VENDOR, "00DKx0000000001!sandbox"),
            "signature": "c2FuZGJveA==",
            "scope": "api refresh_token",
            "instance_url": call.base_url,
            "id": f"{call.base_url}/id/00DKx0000000001MAA/005Kx0000000001IAA",
            "token_type": "Bearer",
            "issued_at": str(int(time.time() * 1000)),
        }
    )


def _check_assertion(assertion: str) -> str | None:
    """The error of a JWT, if any. Its signature is not checked: any key counts as the company's."""
    try:
        header = jwt.get_unverified_header(assertion)
        claims = jwt.decode(assertion, options={"verify_signature": False, "verify_exp": True, "verify_aud": False})
    except jwt.PyJWTError as problem:
        return f"invalid assertion: {problem}"
    if header.get("alg") != "RS256":
        return "invalid assertion: algorithm must be RS256"
    if claims.get("iss") != SALESFORCE_CLIENT_ID:
        return "invalid assertion: unknown issuer"
    if claims.get("sub") != SALESFORCE_SUBJECT:
        return "user hasn't approved this consumer"
    if not claims.get("aud") or "exp" not in claims:
        return "audience is invalid"
    return None


def authorize(world: World, call: Call, parts: dict[str, str]) -> str:
    """The API version of the path, if the session is valid. Raises Refusal."""
    version = parts["version"]
    number = float(version)
    if number <= RETIRED and not world.settings.accept_sunset_versions:
        raise Refusal(
            error(
                410,
                "UNSUPPORTED_API_VERSION",
                f"The requested version {version} is no longer available; use a newer one",
            )
        )
    if number > NEWEST or number != int(number):
        raise refuse(404, "NOT_FOUND", "The requested resource does not exist")
    if call.bearer is None or not world.knows_token(VENDOR, call.bearer):
        raise refuse(401, "INVALID_SESSION_ID", "Session expired or invalid")
    return version


def answer_with(world: World, payload: Any, status: int = 200) -> Answer:
    used = world.number("salesforce request")
    return Answer(payload, status, {"Sforce-Limit-Info": f"api-usage={used}/{DAILY_REQUESTS}"})
