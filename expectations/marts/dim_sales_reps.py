"""Would the business believe marts.dim_sales_reps? Names of reps may be shown, their addresses may not."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToNotMatchRegex(
            column="all_text",
            regex=r"[^\s@]+@[^\s@]+\.[A-Za-z]{2,}",
            description="no text holds an e-mail address",
            notes="Somebody's name in the CRM is an address: give the user a name there.",
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

BELIEVABLE = [
    {"rep_key": "r1", "rep_name": "Ada Okafor", "team": "Sales", "region": "EMEA", "manager_name": "Noor Haddad"}
]

POISON = {
    "no text holds an e-mail address": [{"rep_name": "ada@example.com"}],
    "reps have names": [{"rep_name": None}],
}
