"""The errors of HubSpot, Salesforce, Shopify, GA4 and the bank, in their wording."""

from __future__ import annotations

from collections.abc import Callable

from sandbox import exchange_rates, ga4
from sandbox.exchange import Answer, Call
from sandbox.faults.ad_errors import Parameters, fixed
from sandbox.hubspot import access as hubspot
from sandbox.salesforce import access as salesforce
from sandbox.shopify import access as shopify

HUBSPOT_ERRORS: dict[str, Callable[[Call, Parameters], Answer]] = {
    "secondly_limit_2018": fixed(
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
    "ten_secondly_rolling": fixed(
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
    "refresh_token_revoked": fixed(
        400, {"error": "invalid_grant", "error_description": "expired access/refresh token"}
    ),
    "authentication_failure": fixed(
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
    "service_account_deleted": fixed(
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
    "app_uninstalled": fixed(
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
EXCHANGE_RATES_ERRORS: dict[str, Callable[[Call, Parameters], Answer]] = {
    "no_results": lambda call, parameters: exchange_rates.error(404, "No results found."),
    "service_unavailable": lambda call, parameters: exchange_rates.error(503, "Service Unavailable"),
}
