"""Checks of marts.dim_record_links before its publication."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToMatchRegex(
            column="url_pattern",
            regex="^https?://[^\"'<>\\s]*[{]id[}][^\"'<>\\s]*$",
            description="an address has a place for the id and no quotes",
            notes="Pages make links of it. Correct seeds/record_links.csv.",
        ),
    ],
}

WARNING: dict[str, list[gxe.Expectation]] = {}

PASSING = [
    {
        "connection_id": "hubspot",
        "record_type": "deal",
        "url_pattern": "https://app.hubspot.com/contacts/0/record/0-3/{id}",
    }
]

POISON = {
    "an address has a place for the id and no quotes": [{"url_pattern": "javascript:alert(1)"}],
}
