"""Checks of marts.dim_dates before its publication."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="date_day",
            column_B="month_start",
            or_equal=True,
            description="a day does not come before its month",
        ),
    ],
    "calendar": [
        gxe.ExpectColumnValuesToBeBetween(
            column="days_missing",
            max_value=0,
            description="the calendar reaches the last complete day",
            notes="Days beyond its end would fall out of every chart that joins it.",
        ),
    ],
}

WARNING: dict[str, list[gxe.Expectation]] = {}

BATCHES = {
    "calendar": """
        select {{ as_of_date() }} - 1 - max(date_day) as days_missing, max(date_day) as date_day
        from {{ ref('dim_dates') }}
    """,
}

PASSING = [{"date_day": "2026-01-31", "month_start": "2026-01-01"}]

POISON = {
    "a day does not come before its month": [{"month_start": "2026-02-01"}],
    "the calendar reaches the last complete day": [{"date_day": "2026-01-04"}],
}
