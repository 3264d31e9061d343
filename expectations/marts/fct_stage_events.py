"""Checks of marts.fct_stage_events before its publication."""

import great_expectations.expectations as gxe
from great_expectations.expectations.row_conditions import Column

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="entered_at",
            description="every change of stage has a time",
            notes="A skipped stage gets an inferred time.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="to_stage", description="every change of stage says which", notes="It would be counted in no stage."
        ),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="exited_at",
            column_B="entered_at",
            or_equal=True,
            ignore_row_if="either_value_is_missing",
            description="a stage is not left before it is entered",
            notes="Ages of stages would be negative.",
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="to_stage",
            value_set=["lead", "mql", "sal", "sql", "opportunity", "won", "lost", "disqualified", "recycled"],
            row_condition=Column("opportunity_key").is_null(),
            description="leads pass through stages we know",
            notes="Correct seeds/stage_rules.csv.",
        ),
        gxe.ExpectColumnValuesToNotMatchRegex(
            column="all_text",
            regex=r"[^\s@]+@[^\s@]+\.[A-Za-z]{2,}",
            description="no text holds an e-mail address",
            notes="Readers of bi may not see persons. A stage is named after an address: rename it in the CRM.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToBeBetween(
            column="entered_on",
            max_value={"$PARAMETER": "as_of_date"},
            description="no stage is entered in the future",
            notes="A close date entered in advance; the deal counts on that day.",
        ),
    ],
}

BATCHES = {
    "rows": """
        select mart.*, cast(mart.entered_at at time zone {{ reporting_timezone() }} as date) as entered_on
        from {{ changed('fct_stage_events') }} as mart
    """,
}

PASSING = [
    {
        "event_id": "l1:mql",
        "lead_key": "l1",
        "opportunity_key": None,
        "_subject_key": "p1",
        "from_stage": "lead",
        "to_stage": "mql",
        "entered_at": "2026-01-05 11:00+00",
        "exited_at": None,
        "holder_team": "marketing",
        "is_inferred": False,
        "source_system": "hubspot",
    }
]

POISON = {
    "every change of stage has a time": [{"entered_at": None}],
    "every change of stage says which": [{"to_stage": None}],
    "a stage is not left before it is entered": [{"exited_at": "2026-01-05 10:59+00"}],
    "leads pass through stages we know": [{"to_stage": "nurtured"}],
    "no text holds an e-mail address": [{"opportunity_key": "o1", "to_stage": "waits for ana@example.com"}],
    "no stage is entered in the future": [{"entered_at": "2062-01-05 11:00+00"}],
}
