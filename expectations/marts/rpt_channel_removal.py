"""Checks of marts.rpt_channel_removal before its publication. Tests of dbt check that both counts add up."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToBeBetween(
            column="removal_effect",
            min_value=0,
            max_value=1,
            description="a removal effect is a share",
            notes="It is the share of conversions that is lost without the channel.",
        ),
    ],
}

WARNING: dict[str, list[gxe.Expectation]] = {}

PASSING = [
    {
        "month_start": "2026-01-01",
        "conversion_type": "won",
        "channel": "Email",
        "removal_effect": 1,
        "conversions_by_chain": 2,
        "conversions_by_path": 2,
    }
]

POISON = {"a removal effect is a share": [{"removal_effect": 1.5}]}
