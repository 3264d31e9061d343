"""Access control of Meta, and its error messages."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import orjson

from sandbox.ad_accounts import AdAccount
from sandbox.credentials import META_ACCESS_TOKEN, META_APP_SECRET
from sandbox.exchange import Answer, Call, Refusal, World

VENDOR = "meta_ads"
VERSIONS = ("v26.0", "v25.0")


def error(
    message: str, code: int, kind: str = "OAuthException", subcode: int | None = None, status: int = 400, **more: Any
) -> Answer:
    body: dict[str, Any] = {"message": message, "type": kind, "code": code}
    if subcode is not None:
        body["error_subcode"] = subcode
    return Answer({"error": {**body, **more, "fbtrace_id": "AsandboxTrace"}}, status)


def invalid(message: str) -> Refusal:
    return Refusal(error(f"(#100) {message}", 100))


def usage_headers(account_id: str = "0", used: int = 1, minutes_to_regain: int = 0) -> dict[str, str]:
    usage = {
        "type": "ads_insights",
        "call_count": used,
        "total_cputime": used,
        "total_time": used,
        "estimated_time_to_regain_access": minutes_to_regain,
        "ads_api_access_tier": "standard_access",
    }
    return {
        "x-business-use-case-usage": orjson.dumps({account_id: [usage]}).decode(),
        "x-app-usage": orjson.dumps({"call_count": used, "total_cputime": used, "total_time": used}).decode(),
        "x-fb-ads-insights-throttle": orjson.dumps({"app_id_util_pct": used, "acc_id_util_pct": used}).decode(),
        "facebook-api-version": VERSIONS[0],
    }


def parameters_of(call: Call) -> dict[str, str]:
    return {**call.query, **(call.form if call.method == "POST" else {})}


def authorize(world: World, call: Call, version: str) -> dict[str, str]:
    if version not in VERSIONS and not world.settings.accept_sunset_versions:
        if float(version[1:]) > float(VERSIONS[0][1:]):
            raise Refusal(error(f"Unknown path components: /{version}", 2500))
        raise Refusal(
            error(
                "(#2635) You are calling a deprecated version of the Ads API. Please update to the latest version: "
                f"{VERSIONS[0]}.",
                2635,
            )
        )
    parameters = parameters_of(call)
    token = parameters.get("access_token") or call.bearer
    if not token:
        raise Refusal(error("An access token is required to request this resource.", 104))
    if token != META_ACCESS_TOKEN or token in world.revoked:
        raise Refusal(error("Invalid OAuth access token - Cannot parse access token", 190))
    proof = parameters.get("appsecret_proof")
    expected = hmac.new(META_APP_SECRET.encode(), token.encode(), hashlib.sha256).hexdigest()
    if proof is None and world.settings.meta_requires_proof:
        raise Refusal(
            error("API calls from the server require an appsecret_proof argument", 100, "GraphMethodException")
        )
    if proof is not None and not hmac.compare_digest(proof, expected):
        raise Refusal(error("Invalid appsecret_proof provided in the API argument", 100, "GraphMethodException"))
    return parameters


def account_of(world: World, node: str) -> AdAccount:
    for account in world.scenario.accounts(VENDOR):
        if node == f"act_{account.id}":
            return account
    raise Refusal(
        error(
            f"Unsupported get request. Object with ID '{node}' does not exist, cannot be loaded due to missing "
            "permissions, or does not support this operation. Please read the Graph API documentation at "
            "https://developers.facebook.com/docs/graph-api",
            100,
            "GraphMethodException",
            33,
        )
    )


def fields_of(parameters: dict[str, str], known: list[str], default: tuple[str, ...]) -> list[str]:
    given = parameters.get("fields", "")
    # The SDK sends a comma list with GET and a JSON array with POST.
    names = (
        orjson.loads(given) if given.startswith("[") else [name.strip() for name in given.split(",") if name.strip()]
    )
    for name in names:
        if name not in known:
            raise invalid(f"{name} is not valid for fields param. please check https://developers.facebook.com/docs/")
    return names or list(default)
