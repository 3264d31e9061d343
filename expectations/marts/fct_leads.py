"""Checks of marts.fct_leads before its publication."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="created_at",
            description="every lead has a creation time",
            notes="Without a time it is on no day. A missing time is inferred, never left out.",
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="owner_team",
            value_set=["marketing", "sales", "partner", "unknown"],
            description="every lead has an owner we know",
            notes="It decides which team owns the leads. Correct seeds/channels.csv.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="region",
            description="every lead has a region",
            notes="Roles limited to a region would see it in none; without an account it belongs to Unknown.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="cycle_no",
            min_value=1,
            description="cycles are counted from one",
            notes="Zero is a stage without a response before it.",
        ),
        gxe.ExpectColumnValuesToNotMatchRegex(
            column="all_text",
            regex=r"[^\s@]+@[^\s@]+\.[A-Za-z]{2,}",
            description="no text holds an e-mail address",
            notes="Readers of bi may not see persons. A lead source is an address: correct it in the CRM.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToBeInSet(
            column="has_sequence_anomaly",
            value_set=[False],
            mostly=0.9,
            description="stages follow each other in order",
            notes="A few are entered late. If there are many, two systems disagree about the clock or the rules.",
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="is_created_inferred",
            value_set=[False],
            mostly=0.9,
            description="creation times come from the vendor",
            notes="An import without creation times puts its leads on the day they were first seen.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="created_date",
            max_value={"$PARAMETER": "as_of_date"},
            description="no lead comes from the future",
            notes="A time entered by hand or a wrong clock.",
        ),
    ],
}


PASSING = [
    {
        "lead_key": "l1",
        "lead_id": "101",
        "person_key": "p1",
        "account_key": "a1",
        "cycle_no": 1,
        "lead_source": "Web",
        "channel": "Paid Search",
        "campaign_key": "c11",
        "owner_team": "marketing",
        "region": "EMEA",
        "created_at": "2026-01-05 10:00+00",
        "created_date": "2026-01-05",
        "mql_at": "2026-01-05 11:00+00",
        "mql_date": "2026-01-05",
        "is_created_inferred": False,
        "has_sequence_anomaly": False,
        "source_system": "hubspot",
    }
]

POISON = {
    "every lead has a creation time": [{"created_at": None}],
    "every lead has an owner we know": [{"owner_team": "agency"}],
    "every lead has a region": [{"region": None}],
    "cycles are counted from one": [{"cycle_no": 0}],
    "no text holds an e-mail address": [{"lead_source": "ana@example.com"}],
    "stages follow each other in order": [{"has_sequence_anomaly": True}],
    "creation times come from the vendor": [{"is_created_inferred": True}],
    "no lead comes from the future": [{"created_date": "2062-01-05"}],
}
