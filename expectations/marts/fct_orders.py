"""Checks of marts.fct_orders before its publication: above all that it has every order, exact to the cent."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="net_amount",
            description="every order line has a rate into the reporting currency",
            notes="Orders and refunds need the rates of their days. Add them to seeds/currency_rates.csv.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="region",
            description="every order has a region",
            notes="Unknown without a country, never null: roles limited to a region would not see it.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="is_counted", description="every order counts or does not", notes="Never neither."
        ),
    ],
    # Per order loaded since the last publication: what the shop says minus what is shown, in the shop's currency.
    "landed": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="order_key", description="every order landed is shown", notes="`make build FULL=1` repairs it."
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="amount_lost",
            min_value=0,
            max_value=0,
            description="order amount landed = order amount shown",
            notes="Lines minus discounts minus refunds, computed from the documents.",
        ),
    ],
    # Counted orders that must not be in the revenue of the deal they bill.
    "billed": [
        gxe.ExpectColumnValuesToBeBetween(
            column="days_counted_twice",
            max_value=0,
            description="no order of a won opportunity is in the funnel",
            notes="Its revenue is the opportunity's. Look at fct_funnel_daily.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToBeBetween(
            column="net_amount",
            min_value=0,
            mostly=0.99,
            description="refunds do not exceed what was paid",
            notes="Refunds above the price are possible but rare.",
        ),
    ],
    # Orders of the last 28 complete days.
    "recent": [
        gxe.ExpectColumnValuesToBeBetween(
            column="uncounted_share",
            max_value=0.5,
            description="at most half of the recent orders are not counted",
            notes="Cancelled, voided or tests: check whether the shop is still being tested.",
        ),
    ],
}

BATCHES = {
    "landed": """
        select
            landed.order_id,
            shown.order_key,
            landed.amount - shown.amount as amount_lost
        from (
            select
                _connection_id,
                order_id,
                coalesce((
                    select sum(
                        cast(line -> 'originalTotalSet' -> 'shopMoney' ->> 'amount' as numeric)
                        - coalesce((
                            select sum(cast(allocation -> 'allocatedAmountSet' -> 'shopMoney' ->> 'amount' as numeric))
                            from jsonb_array_elements(line -> 'discountAllocations') as allocation
                        ), 0)
                    )
                    from jsonb_array_elements(lines) as line
                ), 0)
                - coalesce((
                    select sum(case
                        when jsonb_array_length(refund -> 'refundLineItems' -> 'nodes') > 0 then (
                            select sum(cast(part -> 'subtotalSet' -> 'shopMoney' ->> 'amount' as numeric))
                            from jsonb_array_elements(refund -> 'refundLineItems' -> 'nodes') as part
                        )
                        else cast(refund -> 'totalRefundedSet' -> 'shopMoney' ->> 'amount' as numeric)
                    end)
                    from jsonb_array_elements(refunds) as refund
                ), 0) as amount
            from {{ source('shopify', 'shopify__orders') }}
            where
                {{ is_loaded_since('_load_id') }}
                and _load_id <= {{ through_load_id() }}
                and _removed_at is null
                -- Prices with tax are taken apart by the model alone.
                and not coalesce(taxes_included, false)
        ) as landed
        left join (
            select md5('shopify' || '|' || _connection_id || '|' || order_id) as order_key, _connection_id, order_id
            from {{ source('shopify', 'shopify__orders') }}
            where {{ is_loaded_since('_load_id') }}
        ) as keys using (_connection_id, order_id)
        left join lateral (
            select max(mart.order_key) as order_key, sum(mart.amount_local) as amount
            from {{ ref('fct_orders') }} as mart
            where mart.order_key = keys.order_key
        ) as shown on true
    """,
    "billed": """
        select
            date_day,
            coalesce(sum(shown.orders), 0) - max(counted.orders) as days_counted_twice
        from (
            select mart.ordered_date as date_day, count(distinct mart.order_key) filter (
                where mart.is_counted and not coalesce(deal.is_won, false)
            ) as orders
            from {{ ref('fct_orders') }} as mart
            left join {{ ref('fct_opportunities') }} as deal on mart.opportunity_key = deal.opportunity_key
            where {{ is_touched('ordered_date', 'fct_orders') }} and ordered_date is not null
            group by mart.ordered_date
        ) as counted
        left join {{ ref('fct_funnel_daily') }} as shown using (date_day)
        group by date_day
    """,
    "recent": """
        select
            cast(count(distinct order_key) filter (where not is_counted) as numeric)
            / nullif(count(distinct order_key), 0) as uncounted_share
        from {{ ref('fct_orders') }}
        where ordered_date >= {{ as_of_date() }} - 28 and ordered_date < {{ as_of_date() }}
    """,
}
KEYS = {"landed": ["order_id"], "billed": ["date_day"]}

PASSING = [
    {
        "order_key": "54d203e2d7e245ccf54b45b405d5cefb",
        "order_id": "5001",
        "order_line": "1",
        "person_key": "p1",
        "account_key": "a1",
        "product_key": "k1",
        "campaign_key": "c11",
        "region": "EMEA",
        "status": "paid",
        "sales_channel": "web",
        "channel": "Paid Search",
        "currency_code": "EUR",
        "source_system": "shopify",
        "units": 2,
        "gross_amount": 66,
        "discount_amount": 0,
        "refund_amount": 0,
        "net_amount": 66,
        "amount_local": 60,
        "is_counted": True,
        "is_revenue": True,
        "is_test": False,
        "ordered_at": "2026-01-05 10:00+00",
        "ordered_date": "2026-01-05",
    }
]

POISON = {
    "every order line has a rate into the reporting currency": [{"net_amount": None}],
    "every order has a region": [{"region": None}],
    "every order counts or does not": [{}, {"order_key": "x", "is_counted": None}],
    "every order landed is shown": [{"order_key": "another"}],
    "order amount landed = order amount shown": [{"amount_local": 59.99}],
    "no order of a won opportunity is in the funnel": [{"is_counted": False, "is_revenue": True}],
    "refunds do not exceed what was paid": [{"net_amount": -1}],
    "at most half of the recent orders are not counted": [
        {},
        {"order_key": "x", "is_counted": False},
        {"order_key": "y", "is_counted": False},
    ],
}
