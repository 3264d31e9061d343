"""Checks of marts.rpt_retail_gap before its publication. No sale is missing or invented."""

import great_expectations.expectations as gxe

CRITICAL = {
    # Per month touched since the last publication: what the funnel says minus what is shown here.
    "months": [
        gxe.ExpectColumnValuesToBeBetween(
            column="sell_through_lost",
            min_value=-0.000001,
            max_value=0.000001,
            description="sell-through in = sell-through out",
            notes="Against retail_amount of fct_funnel_monthly. `make build FULL=1` repairs a stale month.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="own_ecommerce_lost",
            min_value=-0.000001,
            max_value=0.000001,
            description="own sales in = own sales out",
            notes="Against order_amount of fct_funnel_monthly. `make build FULL=1` repairs a stale month.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToBeBetween(
            column="covered_rate",
            min_value=0,
            max_value=1,
            description="the covered share lies between 0 and 1",
            notes="More was refunded than sold, for one group in one month: correct, but the share has no meaning.",
        ),
    ],
}

BATCHES = {
    "months": """
        select
            month_start,
            coalesce(funnel.retail_amount, 0) - coalesce(shown.sell_through_amount, 0) as sell_through_lost,
            coalesce(funnel.order_amount, 0) - coalesce(shown.own_ecommerce_amount, 0) as own_ecommerce_lost
        from (
            select month_start, sum(retail_amount) as retail_amount, sum(order_amount) as order_amount
            from {{ ref('fct_funnel_monthly') }}
            where {{ is_touched('month_start', ['rpt_retail_gap', 'fct_funnel_monthly']) }}
            group by month_start
        ) as funnel
        full join (
            select
                month_start,
                sum(sell_through_amount) as sell_through_amount,
                sum(own_ecommerce_amount) as own_ecommerce_amount
            from {{ ref('rpt_retail_gap') }}
            where {{ is_touched('month_start', ['rpt_retail_gap', 'fct_funnel_monthly']) }}
            group by month_start
        ) as shown using (month_start)
    """,
}
KEYS = {"months": ["month_start"]}

PASSING = [
    {
        "month_start": "2026-01-01",
        "region": "EMEA",
        "product_group": "Kits",
        "sell_through_amount": None,
        "own_ecommerce_amount": 66,
        "covered_rate": None,
        "advertised_amount": None,
        "regional_campaigns_amount": None,
        "has_advertising": True,
    }
]

POISON = {
    "sell-through in = sell-through out": [{"sell_through_amount": 0.01}],
    "own sales in = own sales out": [{"own_ecommerce_amount": 65.99}],
    "the covered share lies between 0 and 1": [{"covered_rate": -0.1}],
}
