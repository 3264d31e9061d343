"""Checks of marts.fct_payments before its publication: above all that it has every payment once, exact to the cent."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="region",
            description="every payment has a region",
            notes="Unknown without an order, never null: roles limited to a region would not see it.",
        ),
    ],
    # Per source: what files say minus what is shown, in the currencies of the payments.
    "landed": [
        gxe.ExpectColumnValuesToBeBetween(
            column="amount_lost",
            min_value=0,
            max_value=0,
            description="payments landed = payments shown",
            notes="A difference is a lost, doubled or stale row: `make build FULL=1` repairs a stale one.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="rows_lost",
            min_value=0,
            max_value=0,
            description="number of payments landed = number of payments shown",
            notes="This also counts payments of 0.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="currency_code",
            description="every payment has a currency",
            notes="The payment's own or that of its order. Without both it has no amount: state it in the manifest.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="order_key",
            mostly=0.99,
            description="payments have an order",
            notes="Their orders are in no file, or are numbered otherwise there.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="amount",
            mostly=0.99,
            description="payments have an amount in the reporting currency",
            notes="A payment in another currency takes the rate of its order's day; without an order it has no rate.",
        ),
    ],
}

BATCHES = {
    "landed": """
        select
            coalesce(landed.source_system, shown.source_system) as source_system,
            coalesce(landed.amount, 0) - coalesce(shown.amount, 0) as amount_lost,
            coalesce(landed.payments, 0) - coalesce(shown.payments, 0) as rows_lost
        from (
            select _connection_id as source_system, sum(amount) as amount, count(*) as payments
            from {{ source('files', 'files__payments') }}
            where _load_id <= {{ through_load_id() }}
            group by _connection_id
        ) as landed
        full join (
            select source_system, sum(amount_local) as amount, count(*) as payments
            from {{ ref('fct_payments') }}
            group by source_system
        ) as shown on landed.source_system = shown.source_system
    """,
}
KEYS = {"landed": ["source_system"]}

PASSING = [
    {
        "payment_key": "k1",
        "order_key": "o1",
        "order_id": "1",
        "payment_no": "1",
        "payment_type": "card",
        "region": "EMEA",
        "currency_code": "EUR",
        "source_system": "acme",
        "amount": 33,
        "amount_local": 30,
        "ordered_date": "2026-01-05",
    }
]

POISON = {
    "every payment has a region": [{"region": None}],
    "every payment has a currency": [{"currency_code": None}],
    "payments landed = payments shown": [{"amount_local": 29.99}],
    "number of payments landed = number of payments shown": [{}, {"payment_key": "k2", "amount_local": 0}],
    "payments have an order": [{"order_key": None}],
    "payments have an amount in the reporting currency": [{"amount": None}],
}
