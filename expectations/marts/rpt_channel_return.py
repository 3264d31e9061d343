"""Checks of marts.rpt_channel_return before its publication."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="roas_high",
            column_B="roas_low",
            or_equal=True,
            ignore_row_if="either_value_is_missing",
            description="the range over the models is a range",
            notes="The lowest return over all models is not above the highest.",
        ),
    ],
    # Per month and model touched since the last publication: fct_funnel_daily minus this mart.
    "months": [
        gxe.ExpectColumnValuesToBeBetween(
            column="spend_lost",
            min_value=-0.000001,
            max_value=0.000001,
            description="spend in = spend out",
            notes="Campaigns without conversions stay with their spend, for every model.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="revenue_lost",
            min_value=-0.000001,
            max_value=0.000001,
            description="revenue in = revenue out",
            notes="Every model distributes exactly all won deals and orders without a deal, including (unattributed).",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="costs_lost",
            min_value=-0.000001,
            max_value=0.000001,
            description="costs in = costs out",
            notes="Every model distributes the filed costs of the month completely and once.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToBeBetween(column="spend", min_value=0, description="spend is never negative"),
        gxe.ExpectColumnValuesToBeBetween(
            column="overclaim_ratio",
            max_value=10,
            mostly=0.9,
            description="platforms claim at most ten times what was won",
            notes="Platforms count leads with a value or double conversions: look at their conversion settings.",
        ),
    ],
}

BATCHES = {
    "months": """
        select
            months.month_start,
            models.model,
            coalesce(months.spend, 0) - coalesce(returns.spend, 0) as spend_lost,
            coalesce(months.revenue, 0) - coalesce(returns.revenue, 0) as revenue_lost,
            coalesce((select sum(amount) from {{ ref('int_costs') }} where month_start = months.month_start), 0)
            - coalesce(returns.costs, 0) as costs_lost
        from (
            select
                month_start,
                sum(spend) as spend,
                coalesce(sum(won_amount), 0) + coalesce(sum(order_amount), 0) as revenue
            from {{ ref('fct_funnel_daily') }}
            where {{ is_touched('month_start', ['rpt_channel_return', 'fct_funnel_daily']) }}
            group by month_start
        ) as months
        cross join (
            values
            ('first'), ('last'), ('last_non_direct'), ('linear'), ('position'), ('time_decay'), ('u_shaped'),
            ('w_shaped'), ('full_path'), ('markov'), ('shapley')
        ) as models (model)
        left join (
            select
                month_start, model, sum(spend) as spend, sum(revenue) as revenue, sum(costs) as costs
            from {{ ref('rpt_channel_return') }}
            where {{ is_touched('month_start', ['rpt_channel_return', 'fct_funnel_daily']) }}
            group by month_start, model
        ) as returns on months.month_start = returns.month_start and models.model = returns.model
    """,
}
KEYS = {"months": ["month_start", "model"]}

PASSING = [
    {
        "month_start": "2026-01-01",
        "channel": "Paid Search",
        "campaign_key": "c11",
        "model": model,
        "region": "(all)",
        "spend": 99,
        "revenue": 1166,
        "roas": 11.11,
        "roas_low": 11.11,
        "roas_high": 11.11,
        "platform_claimed_value": 2200,
        "overclaim_ratio": 2,
    }
    for model in (
        "first",
        "last",
        "last_non_direct",
        "linear",
        "position",
        "time_decay",
        "u_shaped",
        "w_shaped",
        "full_path",
        "markov",
        "shapley",
    )
]

_FIRST, *_OTHERS = PASSING
POISON = {
    "spend is never negative": [
        *PASSING,
        {"region": "EMEA", "spend": -1, "revenue": 0},
        {"region": "APAC", "spend": 1, "revenue": 0},
    ],
    "the range over the models is a range": [{**_FIRST, "roas_low": 12}, *_OTHERS],
    "spend in = spend out": [{**_FIRST, "spend": 0}, *_OTHERS],
    "revenue in = revenue out": [{**_FIRST, "revenue": 1260}, *_OTHERS],
    "costs in = costs out": [{**_FIRST, "costs": 1}, *_OTHERS],
    "platforms claim at most ten times what was won": [{**each, "overclaim_ratio": 11} for each in PASSING],
}
