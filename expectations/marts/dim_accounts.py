"""Checks of marts.dim_accounts before its publication."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="region",
            description="every account has a region",
            notes="Roles limited to a region would see it in none; an account without a country belongs to Unknown.",
        ),
        gxe.ExpectColumnValuesToNotMatchRegex(
            column="all_text",
            regex=r"[^\s@]+@[^\s@]+\.[A-Za-z]{2,}",
            description="no text holds an e-mail address",
            notes="Readers of bi may not see persons. An account is named after an address: rename it in the CRM.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToNotBeInSet(
            column="region",
            value_set=["Unknown"],
            mostly=0.5,
            description="most accounts have a region",
            notes="Countries are missing in the CRM, or written in a way that seeds/country_regions.csv does not know.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="account_name",
            mostly=0.9,
            description="accounts have names",
            notes="A dashboard cannot distinguish accounts without a name.",
        ),
    ],
}

PASSING = [
    {
        "account_key": "a1",
        "account_id": "0011",
        "account_name": "X",
        "segment": "small",
        "region": "EMEA",
        "country": "Germany",
    }
]

POISON = {
    "every account has a region": [{"region": None}],
    "no text holds an e-mail address": [{"account_name": "info@example.com"}],
    "most accounts have a region": [{"region": "Unknown"}],
    "accounts have names": [{"account_name": None}],
}
