"""The errors of Google, Meta, LinkedIn and Microsoft, in their wording."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

from sandbox import microsoft_ads
from sandbox.exchange import Answer, Call, World
from sandbox.google_ads import access as google_ads
from sandbox.linkedin_ads import access as linkedin_ads
from sandbox.meta_ads import access as meta

Route = Callable[[World, Call], Answer]
Parameters = dict[str, Any]


def _google(
    status: int, state: str, kind: str, code: str, message: str, **details: Any
) -> Callable[[Call, Parameters], Answer]:
    def answer(call: Call, parameters: Parameters) -> Answer:
        found = re.match(r"/v(\d+)/", call.path)
        version = int(found[1]) if found else google_ads.NEWEST
        body: Any = google_ads.failure(status, state, kind, code, message, version, **details)
        return Answer([body] if call.path.endswith(":searchStream") else body, status)

    return answer


def _google_quota(call: Call, parameters: Parameters) -> Answer:
    """The day's operations are used up: the wait is hours."""
    seconds = int(parameters.get("retry_seconds", 40_591))
    quota = {
        "rateScope": "DEVELOPER",
        "rateName": "Number of operations for basic access",
        "retryDelay": f"{seconds}s",
    }
    message = f"Too many requests. Retry in {seconds} seconds."
    return _google(429, "RESOURCE_EXHAUSTED", "quotaError", "RESOURCE_EXHAUSTED", message, quotaErrorDetails=quota)(
        call, parameters
    )


def _google_pace(call: Call, parameters: Parameters) -> Answer:
    """Too many requests: the wait is seconds."""
    seconds = int(parameters.get("retry_seconds", 1))
    quota = {"rateScope": "ACCOUNT", "rateName": "Requests per second", "retryDelay": f"{seconds}s"}
    message = f"Too many requests. Retry in {seconds} seconds."
    return _google(
        429, "RESOURCE_EXHAUSTED", "quotaError", "RESOURCE_TEMPORARILY_EXHAUSTED", message, quotaErrorDetails=quota
    )(call, parameters)


def _google_bare(call: Call, parameters: Parameters) -> Answer:
    """An error without details, wrapped in an array on searchStream."""
    body = {"error": {"code": 429, "message": "error", "status": "ERROR"}}
    return Answer([body] if call.path.endswith(":searchStream") else body, 429)


def google_internal(call: Call, parameters: Parameters) -> Answer:
    body = {"error": {"code": 500, "message": "Internal error encountered.", "status": "INTERNAL"}}
    return Answer([body] if call.path.endswith(":searchStream") else body, 500)


def fixed(status: int, body: Any) -> Callable[[Call, Parameters], Answer]:
    return lambda call, parameters: Answer(copy.deepcopy(body), status)


def _meta(status: int, throttles: bool = False, **body: Any) -> Callable[[Call, Parameters], Answer]:
    """A Graph error; throttles say in a header how many minutes until access is regained."""

    def answer(call: Call, parameters: Parameters) -> Answer:
        minutes = int(parameters.get("regain_minutes", 0))
        headers = meta.usage_headers(used=100 if throttles else 1, minutes_to_regain=minutes)
        return Answer({"error": dict(body)}, status, headers)

    return answer


OAUTH = "OAuthException"
META_ERRORS: dict[str, Callable[[Call, Parameters], Answer]] = {
    "too_many_calls_ad_account": _meta(
        400,
        throttles=True,
        message="(#80000) There have been too many calls from this ad-account. Wait a bit and try again. For more "
        "info, please refer to https://developers.facebook.com/docs/graph-api/overview/rate-limiting.",
        type=OAUTH,
        code=80000,
        error_subcode=2446079,
        fbtrace_id="AsandboxTrace",
    ),
    "unknown_500": _meta(500, code=1, message="An unknown error occurred", error_subcode=99),
    "service_temporarily_unavailable": _meta(
        400,
        message="(#2) Service temporarily unavailable",
        type=OAUTH,
        is_transient=True,
        code=2,
        fbtrace_id="AsandboxTrace",
    ),
    "reduce_amount_of_data": _meta(
        500, message="Please reduce the amount of data you're asking for, then retry your request", code=1
    ),
    "session_expired": _meta(
        400,
        message="Error validating access token: Session has expired on Friday, 18-Aug",
        type=OAUTH,
        code=190,
        error_subcode=463,
    ),
    "password_changed": _meta(
        400,
        message="Error validating access token: The session has been invalidated because the user changed their "
        "password or Facebook has changed the session for security reasons",
        type=OAUTH,
        code=190,
        error_subcode=460,
    ),
    "app_not_authorized": _meta(
        400,
        message="Error validating access token: The user has not authorized application 2586347315015828.",
        type=OAUTH,
        code=190,
        error_subcode=458,
        fbtrace_id="AsandboxTrace",
    ),
    "missing_permissions": _meta(400, message="(#100) Missing permissions", type=OAUTH, code=100),
    "requires_permission": _meta(
        403, code=200, message="(#200) Requires business_management permission to manage the object"
    ),
    "unsupported_get": _meta(
        400,
        message="Unsupported get request. Object with ID 'xxx' does not exist, cannot be loaded due to missing "
        "permissions, or does not support this operation. Please read the Graph API documentation at "
        "https://developers.facebook.com/docs/graph-api",
        type="GraphMethodException",
        code=100,
        error_subcode=33,
        fbtrace_id="AsandboxTrace",
    ),
    "application_limit": _meta(
        400, throttles=True, message="(#4) Application request limit reached", type=OAUTH, code=4, error_subcode=1504022
    ),
    "user_limit": _meta(
        400, throttles=True, message="(#17) User request limit reached", type=OAUTH, code=17, error_subcode=2446079
    ),
    "calls_limit": _meta(
        400,
        throttles=True,
        message="(#613) Calls to this api have exceeded the rate limit.",
        type=OAUTH,
        code=613,
        error_subcode=1487742,
    ),
    "timeout": _meta(
        400, message="(#100) Your request timed out. Please try again.", type=OAUTH, code=100, error_subcode=1504018
    ),
    "timeout_transient": _meta(
        500, message="(#2) Service temporarily unavailable", type=OAUTH, code=2, error_subcode=1504038
    ),
    "too_much_data": _meta(
        400,
        message="(#100) Please reduce the amount of data you're asking for, then retry your request",
        type=OAUTH,
        code=100,
        error_subcode=1487534,
    ),
}
GOOGLE_ERRORS: dict[str, Callable[[Call, Parameters], Answer]] = {
    "developer_token_quota": _google_quota,
    "searchStream_error_envelope": _google_bare,
    "temporary_quota": _google_pace,
    "internal_error": google_internal,
    "cloud_project_not_approved": _google(
        403,
        "PERMISSION_DENIED",
        "authorizationError",
        "CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION",
        "The Cloud project of the OAuth client is not approved for production access.",
    ),
    "customer_not_enabled": _google(403, *google_ads.NOT_ENABLED),
    "refresh_token_revoked": fixed(
        400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
    ),
}
LINKEDIN_ERRORS: dict[str, Callable[[Call, Parameters], Answer]] = {
    "daily_call_limit": lambda call, parameters: linkedin_ads.error(
        429,
        "TOO_MANY_REQUESTS",
        "Resource level throttle APPLICATION_AND_MEMBER DAY limit for calls to this resource is reached.",
        101,
    ),
    "data_volume_throttle": lambda call, parameters: linkedin_ads.error(
        429, "TOO_MANY_REQUESTS", "More than 45 million metric values were requested in a 5-minute window.", 101
    ),
    "uri_too_long": lambda call, parameters: Answer(
        status=414, text="<html><body>Request-URI Too Long</body></html>", content_type="text/html"
    ),
    "expired_access_token": lambda call, parameters: linkedin_ads.token_expired(),
    "revoked_access_token": lambda call, parameters: linkedin_ads.token_revoked(),
    "missing_permissions": lambda call, parameters: linkedin_ads.error(
        403, "ACCESS_DENIED", f"Not enough permissions to access: GET {call.path.removeprefix('/rest')}", 100
    ),
    "sunset_version": lambda call, parameters: linkedin_ads.error(
        426, "NONEXISTENT_VERSION", "Requested version 20251101 is not active"
    ),
    "internal_error": lambda call, parameters: linkedin_ads.error(
        500, "INTERNAL_SERVER_ERROR", "Internal Server Error"
    ),
    "refresh_token_revoked": lambda call, parameters: linkedin_ads.refuse_refresh(),
}
MICROSOFT_ERRORS: dict[str, Callable[[Call, Parameters], Answer]] = {
    "concurrent_reports": lambda call, parameters: microsoft_ads.operation_error(
        207, "ConcurrentRequestOverLimit", "Too many report requests are in progress for this user.", 429
    ),
    "call_rate_exceeded": lambda call, parameters: microsoft_ads.fault(
        117, "CallRateExceeded", "Too many requests. Wait 60 seconds before you ask again.", 429
    ),
    "token_expired": lambda call, parameters: microsoft_ads.token_expired(),
    "data_incomplete": lambda call, parameters: microsoft_ads.incomplete(),
    "invalid_credentials": lambda call, parameters: microsoft_ads.fault(
        105, "InvalidCredentials", "Authentication failed. Either supplied credentials are invalid.", 401
    ),
    "not_authorized": lambda call, parameters: microsoft_ads.fault(
        106, "UserIsNotAuthorized", "The user is not authorized to perform this action.", 403
    ),
    "internal_error": lambda call, parameters: microsoft_ads.fault(
        0, "InternalError", "An internal error has occurred.", 500
    ),
    "refresh_token_revoked": lambda call, parameters: microsoft_ads.refuse_refresh(),
}
