"""Checks of marts.fct_sell_through_weekly before its publication."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToNotMatchRegex(
            column="all_text",
            regex=r"[^\s@]+@[^\s@]+\.[A-Za-z]{2,}",
            description="no text holds an e-mail address",
            notes="A column of addresses was mapped to a retailer or store: correct the manifest.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="sales_amount",
            mostly=0.9,
            description="sales have an amount",
            notes="The retailer sends pieces only, and the price list does not know the products.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="units_sold",
            min_value=0,
            mostly=0.9,
            description="sales are hardly ever negative",
            notes="Returns exceed sales in single stores only.",
        ),
    ],
}

PASSING = [
    {
        "week_start": "2026-01-05",
        "retailer": "Big Box Stores",
        "region": "West",
        "store_id": "0001",
        "product_key": "p1",
        "source_system": "big_box",
        "units_sold": 3,
        "sales_amount": 30,
        "units_on_hand": 7,
        "is_estimated": False,
    }
]

POISON = {
    "no text holds an e-mail address": [{"retailer": "ada@example.com"}],
    "sales have an amount": [{"sales_amount": None}],
    "sales are hardly ever negative": [{"units_sold": -3}],
}
