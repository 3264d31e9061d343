"""Checks of marts.rpt_retail_gap before its publication. Tests of dbt check that no sale is lost or invented."""

import great_expectations.expectations as gxe

CRITICAL: dict[str, list[gxe.Expectation]] = {}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToBeBetween(
            column="covered_rate",
            min_value=0,
            max_value=1,
            description="the covered share lies between 0 and 1",
            notes="More was refunded than sold, for one group in one month: correct, but the share has no meaning.",
        ),
    ],
}


PASSING = [
    {
        "month_start": "2026-01-01",
        "region": "EMEA",
        "product_group": "Kits",
        "sell_through_amount": None,
        "own_ecommerce_amount": 66,
        "covered_rate": None,
        "advertised_amount": None,
        "regional_campaigns_amount": None,
        "has_advertising": True,
    }
]

POISON = {
    "the covered share lies between 0 and 1": [{"covered_rate": -0.1}],
}
