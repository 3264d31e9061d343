"""The list of faults, by vendor."""

from __future__ import annotations

import re
from typing import Any

from sandbox.faults.ad_errors import GOOGLE_ERRORS, LINKEDIN_ERRORS, META_ERRORS, MICROSOFT_ERRORS
from sandbox.faults.business_errors import (
    EXCHANGE_RATES_ERRORS,
    GA4_ERRORS,
    HUBSPOT_ERRORS,
    SALESFORCE_ERRORS,
    SHOPIFY_ERRORS,
)

TOKEN_PATHS = re.compile(r"^/token$|^/oauth/|^/services/oauth2/|^/common/oauth2/|^/oauth2/v4/|^/admin/oauth/")
BULK_PATH = r"/jobs/query"
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
EXPIRED = {"meta_ads": META_ERRORS["session_expired"], "hubspot": HUBSPOT_ERRORS["expired_authentication"]}
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
# Changes of good answers that only one vendor has.
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
# Errors of one step of a bulk operation; they apply to that step only.
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
# Values that a vendor accepts as text and a database refuses, by the parameter `kind` of `odd_value`.
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
# Faults of rows apply to the file of a report.
FILE_FAULTS = {
    *("dead_address", "record_on_two_pages", "new_field", "missing_field", "retyped_field", "vanished_rows"),
    "odd_value",
}
HTML = "<!DOCTYPE html><html><head><title>Sorry</title></head><body>Something went wrong.</body></html>"


def known_faults() -> dict[str, list[str]]:
    """Names of all faults, by vendor."""
    return {vendor: sorted([*errors, *SPOILERS, *OWN_SPOILERS.get(vendor, ())]) for vendor, errors in ERRORS.items()}
