"""Checks of marts.rpt_handoff before its publication."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToBeInSet(
            column="holder_team",
            value_set=["marketing", "sales"],
            description="somebody holds every lead",
            notes="Time without a team is in no team's average.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="business_minutes",
            min_value=0,
            description="business time is not negative",
            notes="Look at seeds/business_hours.csv and int_business_days.",
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="outcome",
            value_set=[
                *("handed over", "accepted", "reassigned", "opportunity", "rejected"),
                *("disqualified", "recycled", "won", "lost", "open"),
            ],
            description="intervals end in ways we know",
            notes="A stage that ends cycles was added without saying what it means for the hand-over.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="region",
            description="every interval has a region",
            notes="Roles limited to a region would see it in none; without an account it belongs to Unknown.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToBeBetween(
            column="bounce_no",
            max_value=10,
            description="nobody is handed to and fro for ever",
            notes="A person whom sales sends back repeatedly, or a workflow that recycles automatically.",
        ),
    ],
}

BATCHES: dict[str, str] = {}

PASSING = [
    {
        "lead_key": "l1",
        "person_key": "p1",
        "rep_key": "r1",
        "region": "EMEA",
        "holder_team": "sales",
        "outcome": "accepted",
        "bounce_no": 0,
        "business_minutes": 120,
        "is_sla_breached": False,
        "held_from": "2026-01-06 09:00+00",
        "held_to": "2026-01-06 11:00+00",
    }
]

POISON = {
    "somebody holds every lead": [{"holder_team": "agency"}],
    "business time is not negative": [{"business_minutes": -1}],
    "intervals end in ways we know": [{"outcome": "forgotten"}],
    "every interval has a region": [{"region": None}],
    "nobody is handed to and fro for ever": [{"bounce_no": 11}],
}
