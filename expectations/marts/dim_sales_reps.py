"""Checks of marts.dim_sales_reps before its publication. It may show names of reps, but not their addresses."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToNotMatchRegex(
            column="all_text",
            regex=r"[^\s@]+@[^\s@]+\.[A-Za-z]{2,}",
            description="no text holds an e-mail address",
            notes="A user's name in the CRM is an address: correct it there.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="rep_name", mostly=0.9, description="reps have names", notes="Integration users have none."
        ),
    ],
}

PASSING = [
    {"rep_key": "r1", "rep_name": "Ada Okafor", "team": "Sales", "region": "EMEA", "manager_name": "Noor Haddad"}
]

POISON = {
    "no text holds an e-mail address": [{"rep_name": "ada@example.com"}],
    "reps have names": [{"rep_name": None}],
}
