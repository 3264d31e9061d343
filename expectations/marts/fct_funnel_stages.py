"""Checks of marts.fct_funnel_stages before its publication."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToBeInSet(
            column="stage",
            value_set=["lead", "mql", "sal", "sql", "opportunity", "won"],
            description="every stage is one of the funnel",
            notes="Charts draw these six, in this order.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="entities", min_value=0, description="no stage is negative", notes="It counts."
        ),
    ],
}

WARNING: dict[str, list[gxe.Expectation]] = {}


PASSING = [
    {
        "month_start": "2026-01-01",
        "channel": "Paid Search",
        "region": "EMEA",
        "stage": stage,
        "stage_order": order,
        "entities": entities,
    }
    for order, (stage, entities) in enumerate(
        [("lead", 1), ("mql", 1), ("sal", 0), ("sql", 0), ("opportunity", 1), ("won", 1)], start=1
    )
]

POISON = {
    "every stage is one of the funnel": [*PASSING, {"stage": "nurtured", "entities": 0}],
    "no stage is negative": [
        *PASSING,
        {"region": "Unknown", "stage": "sal", "entities": -1},
        {"region": "APAC", "stage": "sal", "entities": 1},
    ],
}
