"""Checks of marts.fct_funnel_monthly before its publication. Tests of dbt check that it is the sum of its days."""

import great_expectations.expectations as gxe

CRITICAL: dict[str, list[gxe.Expectation]] = {}

WARNING: dict[str, list[gxe.Expectation]] = {}

_NOTHING: dict[str, int] = dict.fromkeys(
    (
        *("spend", "impressions", "clicks", "sessions", "leads", "mqls", "sals", "sqls", "opportunities"),
        *("pipeline_amount", "won", "won_amount", "lost", "orders", "order_amount"),
    ),
    0,
)
_CELL = {"month_start": "2026-01-01", "channel": "Paid Search", "campaign_key": "c11"}
PASSING = [
    {**_CELL, "region": "(not split)", **_NOTHING, "spend": 99, "impressions": 1000, "clicks": 50},
    {
        **_CELL,
        "region": "EMEA",
        **_NOTHING,
        "sessions": 42,
        "leads": 1,
        "mqls": 1,
        "opportunities": 1,
        "pipeline_amount": 1100,
        "won": 1,
        "won_amount": 1100,
        "orders": 1,
        "order_amount": 66,
    },
]

POISON: dict[str, list[dict[str, object]]] = {}
