"""Checks of marts.rpt_sales_velocity before its publication."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToBeBetween(
            column="win_rate",
            min_value=0,
            max_value=1,
            description="a win rate lies between 0 and 1",
            notes="It is won / (won + lost).",
        ),
    ],
    # Per month of deals that changed: deals closed of fct_opportunities minus deals counted here.
    "months": [
        gxe.ExpectColumnValuesToBeBetween(
            column="closed_lost",
            min_value=0,
            max_value=0,
            description="closed deals in = closed deals out",
            notes="New business closed in months that have begun. `make build FULL=1` repairs a stale month.",
        ),
    ],
}

WARNING: dict[str, list[gxe.Expectation]] = {}

BATCHES = {
    "months": """
        select months.month_start, coalesce(counted.closed, 0) - coalesce(shown.closed, 0) as closed_lost
        from (
            select distinct date_trunc('month', closed_date::timestamp)::date as month_start
            from {{ touched('fct_opportunities') }}
            where closed_date < {{ as_of_date() }}
        ) as months
        left join lateral (
            select count(*) as closed
            from {{ ref('fct_opportunities') }}
            where
                closed_date >= months.month_start
                and closed_date < (months.month_start + interval '1 month')::date
                and not is_open
                and opportunity_type = 'new_business'
        ) as counted on true
        left join lateral (
            select sum(won + lost) as closed
            from {{ ref('rpt_sales_velocity') }}
            where month_start = months.month_start
        ) as shown on true
    """,
}
KEYS = {"months": ["month_start"]}

PASSING = [
    {
        "month_start": "2026-01-01",
        "region": "EMEA",
        "channel": "Paid Search",
        "open_opportunities": 0,
        "won": 1,
        "lost": 0,
        "n_amounts": 1,
        "n_cycles": 1,
        "won_cycle_days": 0,
        "won_amount": 1100,
        "win_rate": 1,
        "average_won_amount": 1100,
        "cycle_days": 0,
        "velocity": None,
    }
]

POISON = {
    "a win rate lies between 0 and 1": [{"win_rate": 1.5}],
    "closed deals in = closed deals out": [{"lost": 1}],
}
