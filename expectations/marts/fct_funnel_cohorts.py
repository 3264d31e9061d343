"""Checks of marts.fct_funnel_cohorts before its publication."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToBeInSet(
            column="stage",
            value_set=["mql", "sal", "sql", "opportunity", "won"],
            description="every stage is one of the funnel",
            notes="Charts draw these five, in this order.",
        ),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="leads",
            column_B="reached",
            or_equal=True,
            description="no more leads reach a stage than the cohort has",
            notes="Other records than leads were counted, or a lead was counted twice.",
        ),
    ],
}

WARNING: dict[str, list[gxe.Expectation]] = {}


PASSING = [
    {
        "cohort_month": "2026-01-01",
        "channel": "Paid Search",
        "region": "EMEA",
        "stage": stage,
        "age_days": 7,
        "leads": 1,
        "n_observed": 0,
        "reached": reached,
        "n_at_risk": 0,
        "rate": reached or None,
        "is_mature": False,
    }
    for stage, reached in (("mql", 1), ("sal", 0), ("sql", 0), ("opportunity", 0), ("won", 0))
]

POISON = {
    "every stage is one of the funnel": [*PASSING, {"stage": "nurtured"}],
    "no more leads reach a stage than the cohort has": [{**PASSING[0], "reached": 2}, *PASSING[1:]],
}
