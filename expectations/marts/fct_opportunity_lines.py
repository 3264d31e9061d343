"""Checks of marts.fct_opportunity_lines before its publication."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToNotMatchRegex(
            column="all_text",
            regex=r"[^\s@]+@[^\s@]+\.[A-Za-z]{2,}",
            description="no text holds an e-mail address",
            notes="A column of addresses was mapped to the number of the line: correct the manifest.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="product_key",
            mostly=0.5,
            description="most lines name a product",
            notes="Map product_id in the manifest.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="amount", min_value=0, mostly=0.9, description="amounts are hardly ever negative", notes="Credits."
        ),
    ],
}

PASSING = [{"opportunity_key": "o1", "line_no": "1", "product_key": "p1", "units": 1, "list_amount": 12, "amount": 10}]

POISON = {
    "no text holds an e-mail address": [{"line_no": "ada@example.com"}],
    "most lines name a product": [{"product_key": None}],
    "amounts are hardly ever negative": [{"amount": -10}],
}
