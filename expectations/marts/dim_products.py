"""Checks of marts.dim_products before its publication."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToNotMatchRegex(
            column="all_text",
            regex=r"[^\s@]+@[^\s@]+\.[A-Za-z]{2,}",
            description="no text holds an e-mail address",
            notes="A column of addresses was mapped to a product: correct the manifest.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToNotBeInSet(
            column="product_group",
            value_set=["Unknown"],
            mostly=0.5,
            description="most products have a group",
            notes="No price list has them, or the deals spell them differently: correct it in the manifest's map.",
        ),
    ],
}

PASSING = [{"product_key": "p1", "product_id": "A-1", "product_name": "Chair", "product_group": "Seating"}]

POISON = {
    "no text holds an e-mail address": [{"product_name": "ada@example.com"}],
    "most products have a group": [{"product_group": "Unknown"}],
}
