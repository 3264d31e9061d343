"""Misbehaviour on demand: the errors vendors were seen to send, and the ways in which good answers go wrong.

A fault strikes requests of one vendor, optionally of one stream or path, after a number of good ones and for a number
of times. Errors replace the answer; other faults spoil it. What a fault does is decided here; how pages look is asked
of the vendor's module.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from sandbox import exchange_rates, ga4, google_ads, hubspot, linkedin_ads, meta_ads, microsoft_ads, salesforce, shopify
from sandbox.exchange import Answer, Call, World
from sandbox.rotation import rotate

Route = Callable[[World, Call], Answer]
Parameters = dict[str, Any]
TOKEN_PATHS = re.compile(r"^/token$|^/oauth/|^/services/oauth2/|^/common/oauth2/|^/oauth2/v4/|^/admin/oauth/")
BULK_PATH = r"/jobs/query"


# --- errors, in each vendor's words ---------------------------------------------------------------------------------


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
    """The day's operations are used up: hours to wait."""
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
    """Too fast: seconds to wait."""
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


def _google_internal(call: Call, parameters: Parameters) -> Answer:
    body = {"error": {"code": 500, "message": "Internal error encountered.", "status": "INTERNAL"}}
    return Answer([body] if call.path.endswith(":searchStream") else body, 500)


def _fixed(status: int, body: Any) -> Callable[[Call, Parameters], Answer]:
    return lambda call, parameters: Answer(copy.deepcopy(body), status)


def _meta(status: int, throttles: bool = False, **body: Any) -> Callable[[Call, Parameters], Answer]:
    """A Graph error; throttles say in a header how many minutes until access is regained."""

    def answer(call: Call, parameters: Parameters) -> Answer:
        minutes = int(parameters.get("regain_minutes", 0))
        headers = meta_ads.usage_headers(used=100 if throttles else 1, minutes_to_regain=minutes)
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
    "internal_error": _google_internal,
    "cloud_project_not_approved": _google(
        403,
        "PERMISSION_DENIED",
        "authorizationError",
        "CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION",
        "The Cloud project of the OAuth client is not approved for production access.",
    ),
    "customer_not_enabled": _google(403, *google_ads.NOT_ENABLED),
    "refresh_token_revoked": _fixed(
        400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
    ),
}
HUBSPOT_ERRORS: dict[str, Callable[[Call, Parameters], Answer]] = {
    "secondly_limit_2018": _fixed(
        429,
        {
            "status": "error",
            "message": "You have reached your secondly limit.",
            "errorType": "RATE_LIMIT",
            "correlationId": "aedc0d29-ba1e-48e3-9fa0-9975c9131a7a",
            "groupName": "publicapi:hapikey-secondly:2431623",
            "policyName": "SECONDLY",
            "requestId": "632b866a6fc6454f32d5423a1166e92a",
        },
    ),
    "ten_secondly_rolling": _fixed(
        429,
        {
            "status": "error",
            "message": "You have reached your ten_secondly_rolling limit.",
            "errorType": "RATE_LIMIT",
            "policyName": "TEN_SECONDLY_ROLLING",
        },
    ),
    "search_api_limit": lambda call, parameters: hubspot.rate_limit("SECONDLY", 1),
    "daily_limit": lambda call, parameters: hubspot.rate_limit("DAILY", 1),
    "expired_authentication": lambda call, parameters: hubspot.error(
        401, "The OAuth token used to make this call expired.", "EXPIRED_AUTHENTICATION", 1
    ),
    "missing_scopes": lambda call, parameters: hubspot.error(
        403,
        "This app hasn't been granted all required scopes to make this call.",
        "MISSING_SCOPES",
        1,
        errors=[
            {"message": "One or more of the following scopes are required.", "context": {"requiredScopes": ["crm"]}}
        ],
    ),
    "internal_error": lambda call, parameters: hubspot.error(500, "internal error", "INTERNAL_ERROR", 1),
}
SALESFORCE_ERRORS: dict[str, Callable[[Call, Parameters], Answer]] = {
    "bulk_not_supported": lambda call, parameters: salesforce.error(
        400, "INVALIDENTITY", f"{parameters.get('sobject', 'X')} is not supported by the Bulk API"
    ),
    "bulk_compound": lambda call, parameters: salesforce.error(
        400, "API_ERROR", "Selecting compound data not supported in Bulk Query"
    ),
    "bulk_query_unsupported": lambda call, parameters: salesforce.error(400, "API_ERROR", "API does not support query"),
    "txn_security": lambda call, parameters: salesforce.error(
        400,
        "TXN_SECURITY_METERING_ERROR",
        "We can't complete the action because enabled transaction security policies took too long to complete.",
    ),
    "daily_request_limit": lambda call, parameters: salesforce.error(
        403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."
    ),
    "aggregate_querymore": lambda call, parameters: salesforce.error(
        400,
        "EXCEEDED_ID_LIMIT",
        "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch",
    ),
    "invalid_locator": lambda call, parameters: salesforce.error(400, "INVALID_QUERY_LOCATOR", "invalid query locator"),
    "session_expired": lambda call, parameters: salesforce.error(
        401, "INVALID_SESSION_ID", "Session expired or invalid"
    ),
    "server_unavailable": lambda call, parameters: salesforce.error(
        503, "SERVER_UNAVAILABLE", "The server is too busy, try again later."
    ),
    "refresh_token_revoked": _fixed(
        400, {"error": "invalid_grant", "error_description": "expired access/refresh token"}
    ),
    "authentication_failure": _fixed(
        400, {"error": "invalid_grant", "error_description": "authentication failure - Invalid Password"}
    ),
}
GA4_ERRORS: dict[str, Callable[[Call, Parameters], Answer]] = {
    "exhausted_tokens": lambda call, parameters: ga4.exhausted(),
    "exhausted_daily_tokens": lambda call, parameters: ga4.error(
        429,
        "RESOURCE_EXHAUSTED",
        "Exhausted property tokens per day. These quota tokens will return in under 24 hours. To learn more, see "
        "https://developers.google.com/analytics/devguides/reporting/data/v1/quotas",
    ),
    "concurrent_requests": lambda call, parameters: ga4.error(
        429, "RESOURCE_EXHAUSTED", "Exhausted concurrent requests quota. Please send fewer requests concurrently."
    ),
    "internal_error": lambda call, parameters: ga4.error(500, "INTERNAL", "Internal error encountered."),
    "service_unavailable": lambda call, parameters: ga4.error(
        503, "UNAVAILABLE", "The service is currently unavailable."
    ),
    "unauthenticated": lambda call, parameters: ga4.error(
        401, "UNAUTHENTICATED", "Request had invalid authentication credentials."
    ),
    "property_not_shared": lambda call, parameters: ga4.error(
        403, "PERMISSION_DENIED", "User does not have sufficient permissions for this property."
    ),
    "invalid_dimension": lambda call, parameters: ga4.error(
        400, "INVALID_ARGUMENT", "Field sessionShoe is not a valid dimension."
    ),
    "service_account_deleted": _fixed(
        400, {"error": "invalid_grant", "error_description": "Invalid grant: account not found"}
    ),
}
SHOPIFY_ERRORS: dict[str, Callable[[Call, Parameters], Answer]] = {
    "throttled": lambda call, parameters: shopify.throttled(
        int(parameters.get("asked", 642)), int(parameters.get("available", 42)), int(parameters.get("rate", 100))
    ),
    "max_cost_exceeded": lambda call, parameters: shopify.error(
        "Query cost is 1642, which exceeds the single query max cost limit (1000).", "MAX_COST_EXCEEDED"
    ),
    "internal_error": lambda call, parameters: shopify.error(
        "Internal error. Looks like something went wrong on our end.\nRequest ID: 0-1 (include this in support "
        "requests).",
        "INTERNAL_SERVER_ERROR",
    ),
    "timeout": lambda call, parameters: shopify.error("Timeout", "TIMEOUT"),
    "access_denied": lambda call, parameters: shopify.error(
        "Access denied for orders field. Required access: `read_orders` access scope.", "ACCESS_DENIED"
    ),
    "undefined_field": lambda call, parameters: shopify.error(
        "Field 'shoeSize' doesn't exist on type 'Order'", "undefinedField"
    ),
    "token_revoked": lambda call, parameters: shopify.plain_error(
        401, "[API] Invalid API key or access token (unrecognized login or wrong password)"
    ),
    "unapproved_scope": lambda call, parameters: shopify.plain_error(
        403, "[API] This action requires merchant approval for read_orders scope."
    ),
    "shop_frozen": lambda call, parameters: shopify.plain_error(402, "Unavailable Shop"),
    "shop_locked": lambda call, parameters: shopify.plain_error(423, "Locked"),
    "app_uninstalled": _fixed(
        401, {"error": "invalid_client", "error_description": "The client_id or client_secret is incorrect."}
    ),
    "bulk_in_progress": lambda call, parameters: Answer(
        {
            "data": {
                "bulkOperationRunQuery": {
                    "bulkOperation": None,
                    "userErrors": [
                        {
                            "field": ["query"],
                            "message": "A bulk query operation for this app and shop is already in progress: "
                            "gid://shopify/BulkOperation/1.",
                        }
                    ],
                }
            }
        }
    ),
    "bulk_failed": lambda call, parameters: Answer(
        {
            "data": {
                "node": {
                    "id": "gid://shopify/BulkOperation/1",
                    "status": "FAILED",
                    "errorCode": "INTERNAL_SERVER_ERROR",
                    "objectCount": "0",
                    "url": None,
                    "partialDataUrl": None,
                }
            }
        }
    ),
    "bulk_link_expired": lambda call, parameters: Answer(
        status=403, text="<Error><Code>ExpiredToken</Code></Error>", content_type="application/xml"
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
EXCHANGE_RATES_ERRORS: dict[str, Callable[[Call, Parameters], Answer]] = {
    "no_results": lambda call, parameters: exchange_rates.error(404, "No results found."),
    "service_unavailable": lambda call, parameters: exchange_rates.error(503, "Service Unavailable"),
}
ERRORS = {
    "google_ads": GOOGLE_ERRORS,
    "meta_ads": META_ERRORS,
    "linkedin_ads": LINKEDIN_ERRORS,
    "microsoft_ads": MICROSOFT_ERRORS,
    "hubspot": HUBSPOT_ERRORS,
    "salesforce": SALESFORCE_ERRORS,
    "ga4": GA4_ERRORS,
    "shopify": SHOPIFY_ERRORS,
    "exchange_rates": EXCHANGE_RATES_ERRORS,
}
TOKEN_ERRORS = {
    "refresh_token_revoked",
    "authentication_failure",
    "service_account_deleted",
    "app_uninstalled",
    "rotating_refresh_token",
}
BULK_ERRORS = {"bulk_not_supported", "bulk_compound", "bulk_query_unsupported"}
IN_200 = {
    "google_ads": _google_internal,
    "meta_ads": META_ERRORS["unknown_500"],
    "linkedin_ads": LINKEDIN_ERRORS["internal_error"],
    "microsoft_ads": MICROSOFT_ERRORS["internal_error"],
    "hubspot": HUBSPOT_ERRORS["internal_error"],
    "salesforce": SALESFORCE_ERRORS["server_unavailable"],
    "ga4": GA4_ERRORS["internal_error"],
    "shopify": SHOPIFY_ERRORS["internal_error"],
    "exchange_rates": EXCHANGE_RATES_ERRORS["service_unavailable"],
}
EXPIRED = {"meta_ads": META_ERRORS["session_expired"], "hubspot": HUBSPOT_ERRORS["expired_authentication"]}


# --- good answers gone wrong ----------------------------------------------------------------------------------------

SPOILERS = (
    "token_expiry_mid_pagination",
    "empty_middle_page",
    "record_on_two_pages",
    "truncated_body",
    "html_instead_of_json",
    "error_in_200",
    "new_field",
    "missing_field",
    "retyped_field",
    "odd_value",
    "vanished_rows",
    "slow",
    "server_error",
)
# Ways in which one vendor alone spoils a good answer.
OWN_SPOILERS: dict[str, tuple[str, ...]] = {
    "linkedin_ads": ("element_cap", "rotating_refresh_token"),
    "microsoft_ads": ("report_failed", "dead_address", "no_data", "rotating_refresh_token"),
    "hubspot": ("late_association", "merged_records", "rotating_refresh_token", "home_currency_unstated"),
    "salesforce": ("merged_records", "rotating_refresh_token"),
    "ga4": ("quota_running_out",),
    "shopify": ("bulk_file_cut_short",),
}
# In force until reset unless an order says how often.
LASTING = {"too_much_data", "element_cap", "rotating_refresh_token", "home_currency_unstated"}
# Errors of one step of a bulk operation, which the step is known by.
BULK_STEPS = {
    "bulk_in_progress": r"bulkOperationRunQuery",
    "bulk_failed": r"on BulkOperation",
    "bulk_link_expired": r"/shopify-bulk/",
    "bulk_file_cut_short": r"/shopify-bulk/",
}
LATER_PAGES_ONLY = {"token_expiry_mid_pagination", "empty_middle_page", "record_on_two_pages", "invalid_locator"}
NEW_FIELD = {
    "google_ads": "campaign.brandNewField",
    "meta_ads": "brand_new_metric",
    "linkedin_ads": "brandNewMetric",
    "microsoft_ads": "BrandNewMetric",
    "hubspot": "properties.brand_new_property",
    "salesforce": "Brand_New__c",
    "ga4": "brandNewValues",
    "shopify": "brandNewField",
    "exchange_rates": "BRAND_NEW",
}
MISSING_FIELD = {
    "google_ads": "metrics.clicks",
    "meta_ads": "clicks",
    "linkedin_ads": "clicks",
    "microsoft_ads": "Clicks",
    "hubspot": "properties.lifecyclestage",
    "salesforce": "OwnerId",
    "ga4": "metricValues",
    "shopify": "sourceName",
    "exchange_rates": "OBS_VALUE",
}
RETYPED_FIELD: dict[str, tuple[str, Any]] = {
    "google_ads": ("metrics.clicks", "not a number"),
    "meta_ads": ("clicks", "not a number"),
    "linkedin_ads": ("clicks", "not a number"),
    "microsoft_ads": ("Clicks", "not a number"),
    "hubspot": ("updatedAt", "not a date"),
    "salesforce": ("CreatedDate", "not a date"),
    "ga4": ("metricValues", [{"value": "not a number"}]),
    "shopify": ("createdAt", "not a date"),
    "exchange_rates": ("OBS_VALUE", "not a number"),
}
# Values that are text to a vendor and nothing to a database, by the parameter `kind` of `odd_value`.
ODD_VALUES: dict[str, Any] = {
    "half_emoji": "Winter \ud83d",
    "nul": "x\x00",
    "literal_nul": "a\\u0000b",
    "empty": "",
    "long": "z" * 9_000,
    "huge_number": "1e400000",
    "late_moment": "9999-12-31T23:59:59-05:00",
    "list": ["x"],
}
ODD_FIELD = {
    "google_ads": "customer.currencyCode",
    "meta_ads": "account_currency",
    "linkedin_ads": "costInLocalCurrency",
    "microsoft_ads": "CurrencyCode",
    "hubspot": "properties.country",
    "salesforce": "LeadSource",
    "ga4": "metricValues.3.value",
    "shopify": "sourceName",
    "exchange_rates": "OBS_VALUE",
}
# What goes wrong with a row goes wrong in the file of a report.
FILE_FAULTS = {
    *("dead_address", "record_on_two_pages", "new_field", "missing_field", "retyped_field", "vanished_rows"),
    "odd_value",
}
HTML = "<!DOCTYPE html><html><head><title>Sorry</title></head><body>Something went wrong.</body></html>"


def known_faults() -> dict[str, list[str]]:
    """Names of everything that can go wrong, by vendor."""
    return {vendor: sorted([*errors, *SPOILERS, *OWN_SPOILERS.get(vendor, ())]) for vendor, errors in ERRORS.items()}


@dataclass
class Fault:
    """One order to misbehave, and how often it was carried out."""

    vendor: str
    name: str
    times: int | None = 1
    after: int = 0
    stream: str | None = None
    path: str | None = None
    parameters: Parameters = field(default_factory=dict)
    seen: int = 0
    struck: int = 0

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> Fault:
        rest = dict(body)
        vendor, name = rest.pop("vendor"), rest.pop("fault")
        if vendor not in ERRORS:
            raise ValueError(f"there is no vendor {vendor!r}; there are {', '.join(ERRORS)}")
        if name not in known_faults()[vendor]:
            raise ValueError(f"{vendor} has no fault {name!r}; it has {', '.join(known_faults()[vendor])}")
        default = None if name in LASTING else 1
        times = rest.pop("times", default)
        return cls(
            vendor, name, times, int(rest.pop("after", 0)), rest.pop("stream", None), rest.pop("path", None), rest
        )

    def describe(self) -> dict[str, Any]:
        return {
            "vendor": self.vendor,
            "fault": self.name,
            "times": self.times,
            "after": self.after,
            "stream": self.stream,
            "path": self.path,
            "parameters": self.parameters,
            "struck": self.struck,
        }

    @property
    def delay(self) -> float:
        return float(self.parameters.get("seconds", 1.0)) if self.name == "slow" else 0.0

    @property
    def promised_more(self) -> bool:
        return self.name == "truncated_body" and self.parameters.get("mode") == "connection"

    def fits(self, vendor: ModuleType, stream: str | None, call: Call) -> bool:
        if self.vendor != vendor.VENDOR:
            return False
        asks_token = TOKEN_PATHS.search(call.path) is not None
        if asks_token != (self.name in TOKEN_ERRORS):
            return False
        if self.name in BULK_ERRORS and BULK_PATH not in call.path:
            return False
        if self.name in BULK_STEPS:
            step = re.search(BULK_STEPS[self.name], call.path) or re.search(BULK_STEPS[self.name].encode(), call.body)
            return step is not None
        if self.stream is not None and stream != self.stream:
            return False
        if self.path is not None and not re.search(self.path, f"{call.path}?{call.query_string}"):
            return False
        if self.name == "too_much_data":
            asked = stream == "insights" and not meta_ads.is_later_page(call) and "time_range" in _everything(call)
            return asked and meta_ads.asked_days(call) > int(self.parameters.get("max_days", 7))
        if self.name in FILE_FAULTS and vendor is microsoft_ads:
            return "/ReportDownload/" in call.path
        if self.name in ("report_failed", "no_data"):
            return call.path.endswith("/Poll")
        if self.name in LATER_PAGES_ONLY:
            return _is_later_page(vendor, call) or call.path.endswith(":searchStream")
        return True


def _everything(call: Call) -> dict[str, str]:
    return {**call.query, **call.form}


def _is_later_page(vendor: ModuleType, call: Call) -> bool:
    try:
        later: bool = vendor.is_later_page(call)
    except ValueError:
        return False
    return later


class Faults:
    """The orders in force, in the order they were given; at most one strikes a request."""

    def __init__(self) -> None:
        self.active: list[Fault] = []
        self.last_rows: dict[tuple[str, str | None], Any] = {}

    def strike(self, vendor: ModuleType, stream: str | None, call: Call) -> Fault | None:
        """The fault this request meets, if any; counts it."""
        for fault in self.active:
            if not fault.fits(vendor, stream, call):
                continue
            fault.seen += 1
            if fault.seen <= fault.after or (fault.times is not None and fault.struck >= fault.times):
                continue
            fault.struck += 1
            return fault
        return None

    def answer(
        self, world: World, vendor: ModuleType, stream: str | None, call: Call, fault: Fault | None, route: Route
    ) -> Answer:
        """The vendor's answer, spoilt or replaced as the fault says."""
        if fault is None:
            answer = route(world, call)
            self._remember(vendor, stream, answer)
            return answer
        if fault.name in ERRORS[fault.vendor]:
            return ERRORS[fault.vendor][fault.name](call, fault.parameters)
        answer = self._spoil(world, vendor, stream, call, fault, route)
        self._remember(vendor, stream, answer)
        return answer

    def _remember(self, vendor: ModuleType, stream: str | None, answer: Answer) -> None:
        rows = vendor.rows_of(answer.payload) if answer.status == 200 else None
        if rows:
            self.last_rows[vendor.VENDOR, stream] = rows[-1]

    def _spoil(
        self, world: World, vendor: ModuleType, stream: str | None, call: Call, fault: Fault, route: Route
    ) -> Answer:
        name, parameters = fault.name, fault.parameters
        if name == "rotating_refresh_token":
            return rotate(world, fault.vendor, call, lambda world, call, _: route(world, call))
        if name == "token_expiry_mid_pagination":
            token = world.tokens.get(call.bearer or call.headers.get("x-shopify-access-token", ""))
            if token is None:
                return EXPIRED[fault.vendor](call, parameters) if fault.vendor in EXPIRED else route(world, call)
            token.revoked = True
            return route(world, call)
        if name == "html_instead_of_json":
            return Answer(status=int(parameters.get("status", 200)), text=HTML, content_type="text/html; charset=utf-8")
        if name == "error_in_200":
            answer = IN_200[fault.vendor](call, parameters)
            answer.status = 200
            return answer
        if name == "server_error":
            answer = IN_200[fault.vendor](call, parameters)
            answer.status = int(parameters.get("status", 500))
            return answer
        answer = route(world, call)
        if answer.status not in (200, 207) or name == "slow":
            return answer
        if name == "bulk_file_cut_short":
            # Ends between two lines: nothing but the count of objects tells.
            lines = answer.body().decode().splitlines(keepends=True)
            answer.text = "".join(lines[: len(lines) * 2 // 3])
            return answer
        if name == "truncated_body":
            whole = answer.body()
            answer.text = whole[: max(1, int(len(whole) * float(parameters.get("share", 0.6))))]
            return answer
        if name == "quota_running_out":
            answer.payload["propertyQuota"] = {
                "concurrentRequests": {"consumed": 2, "remaining": 8},
                "tokensPerProjectPerHour": {"consumed": 5, "remaining": int(parameters.get("remaining", 172))},
            }
            return answer
        if name in ("report_failed", "no_data") and "ReportRequestStatus" in answer.payload:
            status = "Error" if name == "report_failed" else "Success"
            answer.payload = {"ReportRequestStatus": {"ReportDownloadUrl": None, "Status": status}}
        if name == "dead_address":
            return microsoft_ads.dead_address()
        rows = vendor.rows_of(answer.payload)
        if rows is None:
            return answer
        if name == "empty_middle_page":
            answer.payload = vendor.hollow(call, answer.payload)
        elif name == "record_on_two_pages":
            self._repeat(vendor, stream, answer, rows)
        elif name == "vanished_rows":
            _remove(rows, parameters)
        elif name == "merged_records":
            _merge(rows, fault)
        elif name == "late_association":
            # Not made yet: a record without any is missing from the answer.
            rows.clear()
        elif name == "home_currency_unstated":
            hubspot.forget_home_currency(world, rows)
        elif name == "element_cap":
            del rows[int(parameters.get("elements", 10)) :]
        else:
            _retouch(rows, fault)
        return answer

    def _repeat(self, vendor: ModuleType, stream: str | None, answer: Answer, rows: list[Any]) -> None:
        """The last record of the page before comes first again; a stream gets a second batch that repeats one."""
        if isinstance(answer.payload, list):
            if rows:
                again = {**answer.payload[0], "results": [copy.deepcopy(rows[-1])]}
                again.pop("queryResourceConsumption", None)
                answer.payload.insert(1, again)
            return
        previous = self.last_rows.get((vendor.VENDOR, stream))
        if previous is not None:
            rows.insert(0, copy.deepcopy(previous))


def _remove(rows: list[Any], parameters: Parameters) -> None:
    wanted = parameters.get("match")
    if wanted:
        rows[:] = [row for row in rows if not all(str(_get(row, path)) == str(value) for path, value in wanted.items())]
    else:
        del rows[: int(parameters.get("count", 1))]


def _merge(rows: list[Any], fault: Fault) -> None:
    """The first records of the page were merged into its last one: HubSpot's vanish, Salesforce's say where to."""
    losers = rows[: min(int(fault.parameters.get("count", 2)), len(rows) - 1)]
    if fault.vendor == "salesforce":
        for loser in losers:
            loser.update(IsDeleted=True, MasterRecordId=rows[-1]["Id"])
    elif losers:
        rows[-1]["properties"]["hs_merged_object_ids"] = ";".join(loser["id"] for loser in losers)
        del rows[: len(losers)]


def _retouch(rows: list[Any], fault: Fault) -> None:
    """New, missing or retyped fields, in all rows or the first few."""
    count = fault.parameters.get("rows")
    chosen = rows if count is None else rows[: int(count)]
    if fault.name == "new_field":
        path = fault.parameters.get("field", NEW_FIELD[fault.vendor])
        value = fault.parameters.get("value", "surprise")
        for row in chosen:
            _put(row, path, value)
    elif fault.name == "missing_field":
        path = fault.parameters.get("field", MISSING_FIELD[fault.vendor])
        for row in chosen:
            *parents, leaf = path.split(".")
            place = _get(row, ".".join(parents)) if parents else row
            if isinstance(place, dict):
                place.pop(leaf, None)
    elif fault.name == "odd_value":
        path = fault.parameters.get("field", ODD_FIELD[fault.vendor])
        for row in chosen:
            _put(row, path, ODD_VALUES[fault.parameters.get("kind", "half_emoji")])
    elif fault.name == "retyped_field":
        default_path, default_value = RETYPED_FIELD[fault.vendor]
        path = fault.parameters.get("field", default_path)
        for row in chosen:
            if _get(row, path) is not None:
                _put(row, path, fault.parameters.get("value", default_value))


def _get(row: Any, path: str) -> Any:
    """The value at a dotted path; a number is a place in a list."""
    for part in path.split("."):
        if isinstance(row, list) and part.isdigit() and int(part) < len(row):
            row = row[int(part)]
        elif isinstance(row, dict):
            row = row.get(part)
        else:
            return None
    return row


def _put(row: Any, path: str, value: Any) -> None:
    *parents, leaf = path.split(".")
    for part in parents:
        row = row[int(part)] if isinstance(row, list) else row.setdefault(part, {})
    row[leaf] = copy.deepcopy(value)
