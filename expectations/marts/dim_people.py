"""Checks of marts.dim_people before its publication."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToNotMatchRegex(
            column="all_text",
            regex=r"[^\s@]+@[^\s@]+\.[A-Za-z]{2,}",
            description="no text holds an e-mail address",
            notes="Readers of bi may not see persons; only the domain of an address is shown.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToBeBetween(
            column="n_records_merged",
            max_value=20,
            description="nobody is merged from more than 20 records",
            notes="A shared mailbox or a placeholder address merges many people into one. Look at int_person_records.",
        ),
    ],
}


PASSING = [
    {
        "person_key": "p1",
        "account_key": "a1",
        "email_domain": "example.com",
        "n_records_merged": 2,
        "first_seen_at": "2026-01-05 10:00+00",
    }
]

POISON = {
    "no text holds an e-mail address": [{"email_domain": "ana@example.com"}],
    "nobody is merged from more than 20 records": [{"n_records_merged": 21}],
}
