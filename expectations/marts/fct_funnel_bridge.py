"""Checks of marts.fct_funnel_bridge before its publication: both clocks add up and agree with the other marts."""

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
            column="activity_lost",
            min_value=0,
            max_value=0,
            description="activity = in cohort and month + from earlier cohorts",
            notes="The bridge must add up in every row.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="cohort_lost",
            min_value=0,
            max_value=0,
            description="cohort = in cohort and month + in later months",
            notes="The bridge must add up in every row.",
        ),
    ],
    # Per month and stage touched since the last publication: fct_funnel_daily minus the activity shown here.
    "months": [
        gxe.ExpectColumnValuesToBeBetween(
            column="entities_lost",
            min_value=0,
            max_value=0,
            description="the activity is that of fct_funnel_daily",
            notes="There would be two different numbers for the same thing. `make build FULL=1` repairs a stale month.",
        ),
    ],
}

WARNING: dict[str, list[gxe.Expectation]] = {}

BATCHES = {
    "rows": """
        select
            bridge.*,
            activity_count - in_cohort_and_month - from_earlier_cohorts as activity_lost,
            cohort_count - in_cohort_and_month - in_later_months as cohort_lost
        from {{ changed('fct_funnel_bridge') }} as bridge
    """,
    "months": """
        select
            month_start,
            stage,
            coalesce(daily.entities, 0) - coalesce(bridge.entities, 0) as entities_lost
        from (
            select days.month_start, stages.stage, sum(stages.entities) as entities
            from {{ ref('fct_funnel_monthly') }} as days
            cross join lateral (
                values
                ('lead', days.leads),
                ('mql', days.mqls),
                ('sal', days.sals),
                ('sql', days.sqls),
                ('opportunity', days.opportunities),
                ('won', days.won)
            ) as stages (stage, entities)
            where {{ is_touched('month_start', ['fct_funnel_bridge', 'fct_funnel_monthly']) }}
            group by days.month_start, stages.stage
        ) as daily
        full join (
            select month_start, stage, sum(activity_count) as entities
            from {{ ref('fct_funnel_bridge') }}
            where {{ is_touched('month_start', ['fct_funnel_bridge', 'fct_funnel_monthly']) }}
            group by month_start, stage
        ) as bridge using (month_start, stage)
    """,
}
KEYS = {"months": ["month_start", "stage"]}

PASSING = [
    {
        "month_start": "2026-01-01",
        "channel": "Paid Search",
        "stage": stage,
        "activity_count": 1,
        "in_cohort_and_month": 1,
        "from_earlier_cohorts": 0,
        "in_later_months": 0,
        "cohort_count": 1,
        "activity_without_lead": 0,
        "cohort_without_lead": 0,
    }
    for stage in ("lead", "mql", "opportunity", "won")
]

_FIRST, *_OTHERS = PASSING
_EMPTY = dict.fromkeys(("activity_count", "in_cohort_and_month", "cohort_count"), 0)
POISON = {
    "every stage is one of the funnel": [*PASSING, {**_EMPTY, "stage": "nurtured"}],
    "activity = in cohort and month + from earlier cohorts": [{**_FIRST, "from_earlier_cohorts": 1}, *_OTHERS],
    "cohort = in cohort and month + in later months": [{**_FIRST, "in_later_months": 1}, *_OTHERS],
    "the activity is that of fct_funnel_daily": [
        {**_FIRST, "activity_count": 2, "from_earlier_cohorts": 1},
        *_OTHERS,
    ],
}
