"""Checks of marts.rpt_identity before its publication."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="match_reason",
            description="every match has a reason",
            notes="A match without a reason cannot be checked or undone.",
        ),
        gxe.ExpectColumnValuesToNotMatchRegex(
            column="all_text",
            regex=r"[^\s@]+@[^\s@]+\.[A-Za-z]{2,}",
            description="no text holds an e-mail address",
            notes="Readers of bi may not see persons. A file uses addresses as ids of leads: give it other ids.",
        ),
    ],
    "people": [
        gxe.ExpectColumnValuesToBeBetween(
            column="people_lost",
            min_value=0,
            max_value=0,
            description="every person has its records",
            notes="Of the people touched by this build: people minus those with records here.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToBeBetween(
            column="n_records",
            max_value=50,
            description="nobody is fifty records",
            notes="A shared mailbox, or a test address: keep its records apart by seeds/separate_records.csv.",
        ),
    ],
}

BATCHES = {
    "people": """
        select
            (
                select count(*) from {{ ref('dim_people') }}
                where {{ is_touched('person_key', ['dim_people', 'rpt_identity']) }}
            )
            - (
                select count(distinct person_key) from {{ ref('rpt_identity') }}
                where {{ is_touched('person_key', ['dim_people', 'rpt_identity']) }}
            ) as people_lost
    """,
}

PASSING = [
    {
        "person_key": "p1",
        "connection_id": "hubspot",
        "record_id": "101",
        "region": "EMEA",
        "source_system": "hubspot",
        "record_type": "contact",
        "match_reason": "e-mail",
        "n_records": 2,
        "is_counted": True,
        "is_unseen": False,
        "is_key_record": True,
        "created_at": "2026-01-05 10:00+00",
    }
]

POISON = {
    "every match has a reason": [{"match_reason": None}],
    "no text holds an e-mail address": [{"record_id": "ana@example.com"}],
    "every person has its records": [],
    "nobody is fifty records": [{"n_records": 51}],
}
