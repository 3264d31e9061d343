"""Checks of marts.dim_products_history before its publication."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToMatchRegex(
            column="currency_code",
            regex="^[A-Z]{3}$",
            description="prices have a currency",
            notes="A price needs a currency.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="valid_to",
            column_B="valid_from",
            ignore_row_if="either_value_is_missing",
            description="a price ends after it begins",
            notes="A deal would find two prices or none.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="list_price", min_value=0, description="no price is negative", notes="Discounts are not products."
        ),
    ],
}

PASSING = [
    {
        "product_version_key": "v1",
        "product_key": "p1",
        "list_price": 10,
        "currency_code": "USD",
        "valid_from": "2026-01-01",
        "valid_to": "2026-02-01",
    }
]

POISON = {
    "prices have a currency": [{"currency_code": "Euro"}],
    "a price ends after it begins": [{"valid_to": "2026-01-01"}],
    "no price is negative": [{"list_price": -1}],
}
