"""Checks of marts.fct_funnel_monthly before its publication: it is the sum of its days."""

import great_expectations.expectations as gxe

MEASURES = (
    *("spend", "impressions", "clicks", "platform_conversions", "platform_conversion_value", "sessions", "leads"),
    *("mqls", "sals", "sqls", "opportunities", "pipeline_amount", "won", "won_amount", "lost", "orders"),
    *("order_amount", "retail_amount"),
)

CRITICAL = {
    # Per month touched since the last publication: measures of which days and months say different sums.
    "months": [
        gxe.ExpectColumnValuesToBeBetween(
            column="measures_lost",
            min_value=0,
            max_value=0,
            description="every month is the sum of its days",
            notes="Long periods would differ from short ones. `make build FULL=1` repairs a stale month.",
        ),
    ],
}

WARNING: dict[str, list[gxe.Expectation]] = {}

_SUMS = ", ".join(f"sum({name}) as {name}" for name in MEASURES)
BATCHES = {
    "months": f"""
        select
            month_start,
            {" + ".join(f"(daily.{name} is distinct from monthly.{name})::integer" for name in MEASURES)}
                as measures_lost
        from (
            select month_start, {_SUMS}
            from {{{{ ref('fct_funnel_daily') }}}}
            where {{{{ is_touched('month_start', ['fct_funnel_monthly', 'fct_funnel_daily']) }}}}
            group by month_start
        ) as daily
        full join (
            select month_start, {_SUMS}
            from {{{{ ref('fct_funnel_monthly') }}}}
            where {{{{ is_touched('month_start', ['fct_funnel_monthly', 'fct_funnel_daily']) }}}}
            group by month_start
        ) as monthly using (month_start)
    """,  # noqa: S608
}
KEYS = {"months": ["month_start"]}

_NOTHING: dict[str, int] = dict.fromkeys(
    (
        *("spend", "impressions", "clicks", "sessions", "leads", "mqls", "sals", "sqls", "opportunities"),
        *("pipeline_amount", "won", "won_amount", "lost", "orders", "order_amount"),
    ),
    0,
)
_CELL = {"month_start": "2026-01-01", "channel": "Paid Search", "campaign_key": "c11"}
PASSING = [
    {**_CELL, "region": "(all)", **_NOTHING, "spend": 99, "impressions": 1000, "clicks": 50},
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

POISON = {"every month is the sum of its days": [{**PASSING[0], "spend": 98.99}, PASSING[1]]}
