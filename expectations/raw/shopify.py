"""Checks of the records that Shopify delivered.

One list per stream, over the records that the run loaded. The connector checks that Shopify answered completely.
"""

import great_expectations.expectations as gxe
from great_expectations.expectations.row_conditions import Column

CRITICAL = {
    "orders": [
        gxe.ExpectColumnValuesToMatchRegex(
            column="currency_code",
            regex="^[A-Z]{3}$",
            description="the currency is an ISO 4217 code",
            notes="Without one no rate is found and the order has no value.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="financial_status",
            mostly=0.5,
            description="orders have a financial status",
            notes="Shopify sets it. Mostly null: voided and paid orders could no longer be distinguished.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="is_test",
            mostly=0.5,
            description="orders say whether they are tests",
            notes="Shopify sets it. Mostly null: tests would count as revenue.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="subtotal",
            mostly=0.5,
            description="orders have a subtotal",
            notes="Shopify adds it up. Mostly null: prices are written in another way, and orders would have no value.",
        ),
    ],
    "shops": [
        gxe.ExpectColumnValuesToMatchRegex(
            column="currency_code", regex="^[A-Z]{3}$", description="the shop's currency is an ISO 4217 code"
        ),
    ],
}

WARNING = {
    "orders": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="email_key",
            mostly=0.5,
            description="orders have an e-mail address",
            notes="People are known by it. Mostly null: the app may lack access to protected customer data.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="customer_id",
            row_condition=Column("sales_channel") == "web",
            mostly=0.5,
            description="orders of the web shop have a customer",
            notes="Shopify makes one for every checkout with an address.",
        ),
    ],
    "shops": [
        gxe.ExpectColumnValuesToMatchRegex(
            column="time_zone",
            regex="^(UTC|[A-Za-z]+(/[A-Za-z0-9_+-]+)+)$",
            description="the shop's time zone is an IANA name",
            notes="Its business days are in this time zone, which is shown to readers.",
        ),
    ],
}

# One row per stream that passes every expectation.
PASSING = {
    "orders": {
        "order_id": "5001",
        "updated_at": "2026-01-05T12:00:00Z",
        "created_at": "2026-01-05T10:00:00Z",
        "processed_at": "2026-01-05T10:00:00Z",
        "order_name": "#1001",
        "is_test": False,
        "financial_status": "PAID",
        "sales_channel": "web",
        "currency_code": "EUR",
        "taxes_included": False,
        "subtotal": 60,
        "email_key": "ana",
        "email_domain": "a.example",
        "customer_id": "7001",
        "country_id": "DE",
        "lines": [
            {
                "id": "gid://shopify/LineItem/1",
                "quantity": 2,
                "originalTotalSet": {"shopMoney": {"amount": "60.0", "currencyCode": "EUR"}},
            }
        ],
        "refunds": [{"id": "gid://shopify/Refund/1", "createdAt": "2026-01-05T12:00:00Z"}],
    },
    "shops": {"shop_id": "gid://shopify/Shop/1", "time_zone": "Europe/Berlin", "currency_code": "EUR"},
}

# By description: all rows of the delivery, each laid over the passing one.
POISON = {
    "orders": {
        "the currency is an ISO 4217 code": [{"currency_code": "euro"}],
        "orders have a financial status": [{"financial_status": None}],
        "orders say whether they are tests": [{"is_test": None}],
        "orders have a subtotal": [{"subtotal": None}],
        "orders have an e-mail address": [{"email_key": None}],
        "orders of the web shop have a customer": [{"customer_id": None}],
    },
    "shops": {
        "the shop's currency is an ISO 4217 code": [{"currency_code": "euro"}],
        "the shop's time zone is an IANA name": [{"time_zone": "CET plus one"}],
    },
}
