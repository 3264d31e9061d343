"""Checks of marts.fct_funnel_cohorts before its publication."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToBeInSet(
            column="stage",
            value_set=["mql", "sal", "sql", "opportunity", "won"],
            description="every stage is one of the funnel",
            notes="Charts draw these five, in this order.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="rate",
            min_value=0,
            max_value=1,
            description="a rate lies between 0 and 1",
            notes="It is a share of the cohort's leads.",
        ),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="leads",
            column_B="reached",
            or_equal=True,
            description="no more leads reach a stage than the cohort has",
            notes="Other records than leads were counted, or a lead was counted twice.",
        ),
    ],
    # Per cohort month of leads that changed: leads of fct_leads minus leads shown, which are the same for each age.
    "cohorts": [
        gxe.ExpectColumnValuesToBeBetween(
            column="leads_lost",
            min_value=0,
            max_value=0,
            description="leads in = leads out",
            notes="Lost and disqualified leads belong to the denominator. `make build FULL=1` repairs a stale month.",
        ),
    ],
}

WARNING: dict[str, list[gxe.Expectation]] = {}

BATCHES = {
    "cohorts": """
        select months.cohort_month, shown.stage, shown.age_days, counted.leads - shown.leads as leads_lost
        from (
            select distinct date_trunc('month', created_date::timestamp)::date as cohort_month
            from {{ touched('fct_leads') }}
            where created_date is not null
        ) as months
        cross join lateral (
            select count(*) as leads
            from {{ ref('fct_leads') }}
            where
                created_date >= months.cohort_month
                and created_date < (months.cohort_month + interval '1 month')::date
        ) as counted
        cross join lateral (
            select stage, age_days, sum(leads) as leads
            from {{ ref('fct_funnel_cohorts') }}
            where cohort_month = months.cohort_month
            group by stage, age_days
        ) as shown
    """,
}
KEYS = {"cohorts": ["cohort_month", "stage", "age_days"]}

PASSING = [
    {
        "cohort_month": "2026-01-01",
        "channel": "Paid Search",
        "region": "EMEA",
        "stage": stage,
        "age_days": 7,
        "leads": 1,
        "n_observed": 0,
        "reached": reached,
        "n_at_risk": 0,
        "rate": reached or None,
        "is_mature": False,
    }
    for stage, reached in (("mql", 1), ("sal", 0), ("sql", 0), ("opportunity", 0), ("won", 0))
]

POISON = {
    "every stage is one of the funnel": [*PASSING, {"stage": "nurtured"}],
    "a rate lies between 0 and 1": [{**PASSING[0], "rate": 1.01}, *PASSING[1:]],
    "no more leads reach a stage than the cohort has": [{**PASSING[0], "reached": 2}, *PASSING[1:]],
    "leads in = leads out": [*PASSING, {**PASSING[0], "region": "APAC"}],
}
