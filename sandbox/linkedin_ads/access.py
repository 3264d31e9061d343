"""Access control of LinkedIn, and its error messages."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, unquote_plus

from sandbox.ad_accounts import AdAccount
from sandbox.credentials import LINKEDIN_CLIENT_ID, LINKEDIN_CLIENT_SECRET, LINKEDIN_REFRESH_TOKEN
from sandbox.exchange import Answer, Call, Refusal, World

VENDOR = "linkedin_ads"
NEWEST, OLDEST = 202607, 202512
LONGEST_QUERY = 4 * 1024
TOKEN_DAYS = 60


def error(status: int, code: str, message: str, service_code: int | None = None) -> Answer:
    body: dict[str, Any] = {"status": status}
    if service_code is not None:
        body["serviceErrorCode"] = service_code
    return Answer({**body, "code": code, "message": message}, status)


def illegal(message: str) -> Refusal:
    return Refusal(error(400, "ILLEGAL_ARGUMENT", message))


def read_value(text: str) -> Any:
    """A Rest.li value: `List(a,b)`, `(key:value,…)` or a text whose own brackets, commas and colons are escaped."""
    value, rest = _take(text)
    if rest:
        raise illegal(f"Unexpected '{rest[0]}' in a parameter value")
    return value


def _take(text: str) -> tuple[Any, str]:
    if text.startswith("List("):
        return _take_list(text[5:])
    if text.startswith("("):
        return _take_record(text[1:])
    end = min((place for mark in ",):(" if (place := text.find(mark)) >= 0), default=len(text))
    return unquote_plus(text[:end]), text[end:]


def _next(text: str) -> str:
    """Move behind a comma, or to the closing bracket."""
    if text.startswith(")"):
        return text
    if not text.startswith(","):
        raise illegal(f"Unexpected '{text[:1]}' in a parameter value" if text else "A list or record is not closed")
    return text[1:]


def _take_list(text: str) -> tuple[list[Any], str]:
    items: list[Any] = []
    while not text.startswith(")"):
        item, text = _take(text)
        items.append(item)
        text = _next(text)
    return items, text[1:]


def _take_record(text: str) -> tuple[dict[str, Any], str]:
    record: dict[str, Any] = {}
    while not text.startswith(")"):
        name, colon, text = text.partition(":")
        if not colon:
            raise illegal("A record is not closed")
        record[name], text = _take(text)
        text = _next(text)
    return record, text[1:]


def _raw_query(call: Call) -> str:
    return call.body.decode("utf-8", "replace") if call.method == "POST" else call.query_string


def parameters_of(call: Call) -> dict[str, str]:
    """Parameters as sent, only partly unescaped: the escapes distinguish structure from content."""
    pairs = (part.partition("=") for part in _raw_query(call).split("&") if part)
    return {unquote(name): value for name, _, value in pairs}


def authorize(world: World, call: Call) -> dict[str, str]:
    if len(call.query_string) > LONGEST_QUERY:
        raise Refusal(
            Answer(status=414, text="<html><body>Request-URI Too Long</body></html>", content_type="text/html")
        )
    if call.method == "POST" and call.headers.get("x-http-method-override", "").upper() != "GET":
        raise Refusal(error(405, "METHOD_NOT_ALLOWED", "Unsupported method: POST"))
    token = call.bearer
    if token is None:
        raise Refusal(error(401, "EMPTY_ACCESS_TOKEN", "Empty oauth2 access token", 65604))
    if token in world.revoked:
        raise Refusal(token_revoked())
    if not world.knows_token(VENDOR, token):
        invalid = error(401, "INVALID_ACCESS_TOKEN", "Invalid access token", 65600)
        raise Refusal(token_expired() if token in world.tokens else invalid)
    version = call.headers.get("linkedin-version", "")
    if not version:
        message = "A version must be present. Please specify a version by adding the LinkedIn-Version header."
        raise Refusal(error(400, "VERSION_MISSING", message))
    if not (version.isdigit() and len(version) == 6):
        raise Refusal(error(400, "INVALID_VERSION", f"Invalid version format: {version}. It must be YYYYMM."))
    if int(version) > NEWEST or (int(version) < OLDEST and not world.settings.accept_sunset_versions):
        raise Refusal(error(426, "NONEXISTENT_VERSION", f"Requested version {version}01 is not active"))
    parameters = parameters_of(call)
    structured = any("(" in value for value in parameters.values())
    if structured and call.headers.get("x-restli-protocol-version") != "2.0.0":
        raise illegal("Lists and records in a query need the header X-Restli-Protocol-Version: 2.0.0")
    if any("%28" in value for value in parameters.values()):
        raise illegal("Invalid query parameters passed to request: brackets of lists and records must not be escaped")
    return parameters


def token_expired() -> Answer:
    return error(401, "EXPIRED_ACCESS_TOKEN", "The token used in the request has expired", 65602)


def token_revoked() -> Answer:
    return error(401, "REVOKED_ACCESS_TOKEN", "The token used in the request has been revoked by the user", 65601)


def account_of(world: World, account_id: str) -> AdAccount:
    for account in world.scenario.accounts(VENDOR):
        if account.id == account_id:
            return account
    raise Refusal(error(403, "ACCESS_DENIED", f"Not enough permissions to access: GET /adAccounts/{account_id}", 100))


def id_of(urn: str, kind: str) -> str:
    start = f"urn:li:{kind}:"
    if not isinstance(urn, str) or not urn.startswith(start) or not urn[len(start) :].isdigit():
        raise illegal(f"Invalid URN '{urn}': {start}<id> was expected")
    return urn[len(start) :]


def give_token(world: World, call: Call, _: dict[str, str]) -> Answer:
    """POST /oauth/v2/accessToken (www.linkedin.com): refresh tokens only."""
    form = call.form
    if form.get("grant_type") != "refresh_token":
        message = f"The passed in grant_type is invalid: {form.get('grant_type')}"
        return Answer({"error": "unsupported_grant_type", "error_description": message}, 400)
    if (form.get("client_id"), form.get("client_secret")) != (LINKEDIN_CLIENT_ID, LINKEDIN_CLIENT_SECRET):
        return Answer({"error": "invalid_client", "error_description": "Client authentication failed"}, 401)
    if form.get("refresh_token") != LINKEDIN_REFRESH_TOKEN:
        return refuse_refresh()
    return Answer(
        {
            "access_token": world.issue_token(VENDOR, "AQX-sandbox-"),
            "expires_in": TOKEN_DAYS * 86_400 - 1,
            "refresh_token": LINKEDIN_REFRESH_TOKEN,
            "refresh_token_expires_in": 365 * 86_400 - 1,
            "scope": "r_ads,r_ads_reporting",
        }
    )


def refuse_refresh() -> Answer:
    message = "The provided authorization grant or refresh token is invalid, expired or revoked."
    return Answer({"error": "invalid_grant", "error_description": message}, 400)
