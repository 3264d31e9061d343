"""Checks of marts.rpt_pipeline_coverage before its publication."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToBeBetween(
            column="weight_over_open",
            max_value=0,
            description="the weighted coverage is never more than the open one",
            notes="Probabilities in per cent would inflate it a hundredfold.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="required_coverage",
            min_value=1,
            description="required coverage is at least one",
            notes="It is 1 ÷ win rate, and a win rate is at most 1.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="miscovered",
            min_value=-0.000001,
            max_value=0.000001,
            description="coverage is open over what is missing",
            notes="The open amount divided by the target minus the booked amount.",
        ),
    ],
    # A day's dated pipeline without renewals, compared with its quarters.
    "days": [
        gxe.ExpectColumnValuesToBeBetween(
            column="open_lost",
            min_value=0,
            max_value=0,
            description="open pipeline of the day = open pipeline of its quarters",
            notes="Overdue deals included, to the last digit: a deal fell between two quarters, or into two.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToBeBetween(
            column="overdue_share",
            max_value=0.5,
            mostly=0.9,
            description="most of the pipeline is not overdue",
            notes="Outdated expected close dates make a pipeline look larger than it is.",
        ),
    ],
}

BATCHES = {
    "rows": """
        select
            mart.*,
            mart.weighted_amount - mart.open_amount as weight_over_open,
            mart.coverage - mart.open_amount / nullif(mart.target - mart.booked_amount, 0) as miscovered,
            case
                when mart.open_opportunities + mart.overdue_opportunities >= 10
                    then mart.overdue_amount / nullif(mart.open_amount + mart.overdue_amount, 0)
            end as overdue_share
        from {{ changed('rpt_pipeline_coverage') }} as mart
    """,
    "days": """
        select
            days.date_day,
            coalesce(snapshots.amount, 0) - coalesce(quarters.amount, 0) as open_lost
        from (select distinct date_day from {{ touched('rpt_pipeline_coverage') }}) as days
        cross join lateral (
            select sum(daily.amount) as amount
            from {{ ref('fct_opportunities_daily') }} as daily
            where
                daily.date_day = days.date_day
                and daily.opportunity_type <> 'renewal'
                and daily.expected_close_date is not null
        ) as snapshots
        cross join lateral (
            select sum(coverage.open_amount + coverage.overdue_amount) as amount
            from {{ ref('rpt_pipeline_coverage') }} as coverage
            where coverage.date_day = days.date_day and coverage.region <> '(all)'
        ) as quarters
    """,
}
KEYS = {"days": ["date_day"]}

PASSING = [
    {
        "date_day": "2026-01-05",
        "period_start": "2026-01-01",
        "period_grain": "quarter",
        "region": "EMEA",
        "open_opportunities": 1,
        "overdue_opportunities": 0,
        "open_amount": 1100,
        "weighted_amount": 220,
        "overdue_amount": 0,
        "booked_amount": 1100,
        "target": 2200,
        "coverage": 1,
        "required_coverage": 4,
        "win_rate": 0.25,
        "n_closed": 40,
        "is_reconstructed": False,
    }
]

POISON = {
    "the weighted coverage is never more than the open one": [{"weighted_amount": 22000}],
    "required coverage is at least one": [{"required_coverage": 0.25}],
    "coverage is open over what is missing": [{"coverage": 0.5}],
    "open pipeline of the day = open pipeline of its quarters": [{"open_amount": 2200, "coverage": 2}],
    "most of the pipeline is not overdue": [{"overdue_opportunities": 9, "overdue_amount": 2200}],
}
