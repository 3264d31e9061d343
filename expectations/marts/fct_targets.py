"""Checks of marts.fct_targets before its publication."""

import great_expectations.expectations as gxe
from great_expectations.expectations.row_conditions import Column

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="target",
            description="every target has an amount in the reporting currency",
            notes="Its currency has no rate: add it to seeds/currency_rates.csv or to a file of exchange rates.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="misrated",
            min_value=-0.000001,
            max_value=0.000001,
            description="attainment is actual over target",
            notes="The three figures are shown together.",
        ),
    ],
    # Fault 10: targets that no model reads.
    "stated": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="shown_metric",
            description="every target stated is shown",
            notes="The target has no team that it applies to.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToBeBetween(
            column="upstream_yield",
            min_value=0,
            description="no stage gives less than nothing",
            notes="A negative yield would require negative leads from the previous stage.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="actual",
            row_condition=Column("is_begun") == True,  # noqa: E712 builds a condition, compares nothing
            description="targets of periods that began can be measured",
            notes="The team's name is unknown, or no source reports the metric: see actual_reason.",
        ),
    ],
}

BATCHES = {
    "rows": """
        select
            mart.*,
            mart.attainment_rate - mart.actual / nullif(mart.target, 0) as misrated,
            mart.period_start < {{ as_of_date() }} as is_begun
        from {{ changed('fct_targets') }} as mart
    """,
    "stated": """
        select
            stated.metric,
            stated.team,
            stated.period_start,
            shown.metric as shown_metric
        from {{ ref('int_targets') }} as stated
        left join {{ ref('fct_targets') }} as shown using (period_start, period_grain, team, metric, region)
    """,
}
KEYS = {"stated": ["period_start", "metric", "team"]}

PASSING = [
    {
        "period_start": "2026-01-01",
        "period_end": "2026-02-01",
        "period_grain": "month",
        "team": "sales",
        "metric": "won",
        "region": "EMEA",
        "origin": "files",
        "upstream_metric": "opportunities",
        "target": 10,
        "actual": 4,
        "attainment_rate": 0.4,
        "required_from_upstream": 40,
        "upstream_yield": 0.25,
        "upstream_entered": 100,
        "upstream_lag_days": 20,
        "upstream_from": "2025-12-12",
        "upstream_to": "2026-01-12",
    }
]

POISON = {
    "every target has an amount in the reporting currency": [
        {"target": None, "attainment_rate": None, "required_from_upstream": None}
    ],
    "attainment is actual over target": [{"attainment_rate": 40}],
    "no stage gives less than nothing": [{"upstream_yield": -0.25}],
    "every target stated is shown": {"intermediate.int_targets": [{"metric": "leads"}]},
    "targets of periods that began can be measured": [{"actual": None, "attainment_rate": None}],
}
