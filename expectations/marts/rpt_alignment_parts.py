"""Checks of marts.rpt_alignment_parts before its publication."""

import great_expectations.expectations as gxe
from great_expectations.expectations.row_conditions import Column

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToBeInSet(
            column="measure",
            value_set=["marketing_revenue_share", "close_rate_lift", "friction_index"],
            description="parts belong to a measure of the scorecard",
            notes="Readers would not find them otherwise.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="value",
            min_value=0,
            row_condition=Column("measure") == "friction_index",
            description="no friction is below nothing",
            notes="A wait or a count came out negative: look at int_lead_fates.",
        ),
    ],
    "origins": [
        gxe.ExpectColumnValuesToBeBetween(
            column="more_sourced_than_influenced",
            max_value=0,
            description="sourced is never more than influenced",
            notes="What marketing generated it also touched. Look at int_won_origins.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToBeBetween(
            column="weight",
            min_value=0,
            max_value=1,
            description="weights are shares",
            notes="Correct seeds/friction_weights.csv.",
        ),
    ],
}

BATCHES = {
    "origins": """
        select
            period_start, period_grain, region,
            coalesce(max(value) filter (where part = 'sourced_share'), 0)
            - coalesce(max(value) filter (where part = 'influenced_share'), 0) as more_sourced_than_influenced
        from {{ ref('rpt_alignment_parts') }}
        where measure = 'marketing_revenue_share'
        group by period_start, period_grain, region
    """,
}

PASSING = [
    {
        "period_start": "2026-01-01",
        "period_grain": "quarter",
        "region": "EMEA",
        "measure": "marketing_revenue_share",
        "part": "influenced_share",
        "part_no": 2,
        "value": 0.5,
        "n": 40,
        "weight": None,
    }
]

POISON = {
    "parts belong to a measure of the scorecard": [{"measure": "happiness"}],
    "no friction is below nothing": [{"measure": "friction_index", "part": "wait_share", "value": -0.1}],
    "sourced is never more than influenced": [{"part": "sourced_share", "value": 0.6}],
    "weights are shares": [{"weight": 2}],
}
