"""Checks of marts.rpt_restatement before its publication."""

import great_expectations.expectations as gxe
from great_expectations.expectations.row_conditions import Column

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToBeBetween(
            column="unexplained",
            min_value=-0.000001,
            max_value=0.000001,
            description="the reasons add up to the change",
            notes="Late changes, retracted rows, currency rates, rules, targets and code are the whole change.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="miscounted",
            min_value=-0.000001,
            max_value=0.000001,
            description="known minus reported is the change",
            notes="The three figures are shown together on the report.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="moved",
            min_value=0,
            description="what moved has no sign",
            notes="Moves are added up: an amount that one channel loses and another gains must not read as 0.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="reason",
            row_condition=Column("change") != 0,
            description="every change has a reason",
            notes="A number that moved without one is what this report is there to prevent.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToBeBetween(
            column="restated_share",
            max_value=0.5,
            row_condition=Column("measure") == "spend",
            description="no day's spend is restated by more than half",
            notes="Platforms correct days by a few per cent. More is a lost account, a wrong rate or a repaired load.",
        ),
    ],
}

BATCHES = {
    "rows": """
        select
            mart.*,
            mart.change - mart.change_late - mart.change_retracted - mart.change_currency_rate
            - mart.change_rule - mart.change_target - mart.change_code - mart.change_other as unexplained,
            mart.as_known - mart.as_reported - mart.change as miscounted,
            case
                when mart.mart = 'fct_ad_stats_daily' and mart.currency_code = mart.reported_currency_code
                    then abs(mart.change) / nullif(mart.as_reported, 0)
            end as restated_share
        from {{ changed('rpt_restatement') }} as mart
    """,
}

PASSING = [
    {
        "mart": "fct_ad_stats_daily",
        "measure": "spend",
        "channel": "(all)",
        "region": "(all)",
        "currency_code": "USD",
        "reported_currency_code": "USD",
        "first_reported_currency_code": "USD",
        "rules_no": 0,
        "date_day": "2026-01-05",
        "known_on": "2026-01-06",
        "as_first_reported": 90,
        "as_reported": 90,
        "as_known": 99,
        "change": 9,
        "change_late": 9,
        "change_retracted": 0,
        "change_currency_rate": 0,
        "change_rule": 0,
        "change_target": 0,
        "change_code": 0,
        "change_other": 0,
        "moved": 9,
        "reason": "late change +9.00",
    }
]

POISON = {
    "the reasons add up to the change": [{"change_late": 8}],
    "known minus reported is the change": [{"as_known": 100}],
    "what moved has no sign": [{"moved": -9}],
    "every change has a reason": [{"reason": None}],
    "no day's spend is restated by more than half": [{"as_known": 40, "change": -50, "change_late": -50}],
}
