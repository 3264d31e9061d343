"""Checks of the rates that the European Central Bank quoted."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rates": [
        gxe.ExpectColumnValuesToBeBetween(
            column="units_per_euro",
            min_value=0,
            strict_min=True,
            description="a rate is above zero",
            notes="Amounts are divided by it.",
        ),
        gxe.ExpectColumnValuesToMatchRegex(
            column="currency_code", regex="^[A-Z]{3}$", description="the currency is an ISO 4217 code"
        ),
    ],
}

WARNING = {
    "rates": [
        gxe.ExpectColumnValuesToBeBetween(
            column="units_per_euro",
            max_value=100_000,
            description="a euro is worth less than a hundred thousand units",
            notes="So is every currency the ECB quotes; a shifted decimal sign is not.",
        ),
    ],
}

# One row per stream that passes every expectation.
PASSING = {"rates": {"rate_date": "2026-01-05", "currency_code": "USD", "units_per_euro": 1.1}}

# By description: all rows of the delivery, each laid over the passing one.
POISON = {
    "rates": {
        "a rate is above zero": [{"units_per_euro": 1}, {"currency_code": "GBP", "units_per_euro": 0}],
        "the currency is an ISO 4217 code": [{"currency_code": "dollar"}],
        "a euro is worth less than a hundred thousand units": [{"units_per_euro": 110_000}],
    },
}
