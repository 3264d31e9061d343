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
    # Per month and stage touched since the last publication: fct_funnel_daily minus this mart.
    "months": [
        gxe.ExpectColumnValuesToBeBetween(
            column="entities_lost",
            min_value=0,
            max_value=0,
            description="the months hold what their days hold",
            notes="`make build FULL=1` repairs a stale month.",
        ),
    ],
}

WARNING: dict[str, list[gxe.Expectation]] = {}

BATCHES = {
    "months": """
        select month_start, stage, coalesce(daily.entities, 0) - coalesce(monthly.entities, 0) as entities_lost
        from (
            select days.month_start, stages.stage, sum(stages.entities) as entities
            from {{ ref('fct_funnel_daily') }} as days
            cross join lateral (
                values
                ('lead', days.leads),
                ('mql', days.mqls),
                ('sal', days.sals),
                ('sql', days.sqls),
                ('opportunity', days.opportunities),
                ('won', days.won)
            ) as stages (stage, entities)
            where {{ is_touched('month_start', ['fct_funnel_stages', 'fct_funnel_daily']) }}
            group by days.month_start, stages.stage
        ) as daily
        full join (
            select month_start, stage, sum(entities) as entities
            from {{ ref('fct_funnel_stages') }}
            where {{ is_touched('month_start', ['fct_funnel_stages', 'fct_funnel_daily']) }}
            group by month_start, stage
        ) as monthly using (month_start, stage)
    """,
}
KEYS = {"months": ["month_start", "stage"]}

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
    "the months hold what their days hold": PASSING[:5],
}
