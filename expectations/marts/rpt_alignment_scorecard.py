"""Checks of marts.rpt_alignment_scorecard before its publication."""

import great_expectations.expectations as gxe
from great_expectations.expectations.row_conditions import Column

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToBeInSet(
            column="measure",
            value_set=["marketing_revenue_share", "close_rate_lift", "friction_index"],
            description="the scorecard has three measures",
            notes="Another measure belongs in rpt_alignment_parts, or in the contract first.",
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="horizon_days",
            value_set=[30, 60, 90, 180],
            description="a close rate speaks of one of four horizons",
            notes="Values of different horizons are not compared: the horizon is in the row.",
        ),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="value_high",
            column_B="value_low",
            or_equal=True,
            ignore_row_if="either_value_is_missing",
            description="an interval has its bounds in order",
            notes="Look at funnel.build.computations.scorecard.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToBeBetween(
            column="value",
            min_value=0,
            max_value=1,
            row_condition=Column("measure") == "marketing_revenue_share",
            description="a share lies between nothing and all",
            notes="An opportunity counts twice, or a negative amount was won.",
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="is_reversed",
            value_set=[False],
            description="no sign turns when like is compared with like",
            notes="Simpson: show adjusted_value, and say that the mix of segments and regions causes the raw lift.",
        ),
    ],
}

BATCHES: dict[str, str] = {}

PASSING = [
    {
        "period_start": "2026-01-01",
        "period_grain": "quarter",
        "region": "EMEA",
        "measure": "marketing_revenue_share",
        "value": 0.5,
        "value_low": 0.4,
        "value_high": 0.6,
        "n": 40,
        "horizon_days": None,
        "baseline_value": 0.4,
        "is_sufficient": True,
        "is_reversed": False,
        "reason": None,
    }
]

POISON = {
    "the scorecard has three measures": [{"measure": "happiness"}],
    "a close rate speaks of one of four horizons": [{"measure": "close_rate_lift", "horizon_days": 45}],
    "an interval has its bounds in order": [{"value_low": 0.7}],
    "a share lies between nothing and all": [{"value": 1.1}],
    "no sign turns when like is compared with like": [{"measure": "close_rate_lift", "is_reversed": True}],
}
