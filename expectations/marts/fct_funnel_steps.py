"""Checks of marts.fct_funnel_steps before its publication. Tests of dbt compare its counts with fct_funnel_daily."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToBeInSet(
            column="step",
            value_set=["lead", "mql", "sal", "sql", "opportunity", "won"],
            description="every step is one of the funnel",
            notes="Charts draw these six, in this order.",
        ),
    ],
}

WARNING: dict[str, list[gxe.Expectation]] = {}


PASSING = [
    {"subject_key": "a", "step": step, "path": "every step", "step_order": order, "is_reached": True}
    for order, step in enumerate(("lead", "mql", "sal", "sql", "opportunity", "won"), start=1)
]

POISON = {
    "every step is one of the funnel": [*PASSING, {"subject_key": "a", "step": "nurtured"}],
}
