"""Checks of marts.fct_funnel_bridge before its publication. Tests of dbt check that both clocks add up."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToBeInSet(
            column="stage",
            value_set=["lead", "mql", "sal", "sql", "opportunity", "won"],
            description="every stage is one of the funnel",
            notes="Charts draw these six, in this order.",
        ),
    ],
}

WARNING: dict[str, list[gxe.Expectation]] = {}


PASSING = [
    {
        "month_start": "2026-01-01",
        "channel": "Paid Search",
        "stage": stage,
        "activity_count": 1,
        "in_cohort_and_month": 1,
        "from_earlier_cohorts": 0,
        "in_later_months": 0,
        "cohort_count": 1,
        "activity_without_lead": 0,
        "cohort_without_lead": 0,
    }
    for stage in ("lead", "mql", "opportunity", "won")
]

_EMPTY = dict.fromkeys(("activity_count", "in_cohort_and_month", "cohort_count"), 0)
POISON = {
    "every stage is one of the funnel": [*PASSING, {**_EMPTY, "stage": "nurtured"}],
}
