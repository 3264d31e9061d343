"""Checks of marts.fct_attribution before its publication."""

import great_expectations.expectations as gxe

MODELS = [
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
]

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="credit",
            description="every touch has its credit",
            notes="By markov a path has none while a channel of it has no removal effect: statistics are out of date.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="credit",
            min_value=0,
            max_value=1,
            description="credit lies between 0 and 1",
            notes="It is a share of one conversion.",
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="model",
            value_set=MODELS,
            description="every model is one we explain",
            notes="Readers choose by these names.",
        ),
    ],
    # Per conversion and model touched since the last publication.
    "conversions": [
        gxe.ExpectColumnValuesToBeBetween(
            column="credit",
            min_value=1,
            max_value=1,
            description="credit adds up to one",
            notes="Per conversion and model, with (unattributed). Otherwise revenue is invented or lost.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="amount_lost",
            min_value=-0.000001,
            max_value=0.000001,
            description="credited amounts add up to the deal or order",
            notes="The tolerance is that of decimals, far below a cent.",
        ),
    ],
    "touches": [
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="converted_at",
            column_B="touched_at",
            description="no credit before cause",
            notes="A touch counts only if it came before the conversion.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToNotBeInSet(
            column="channel",
            value_set=["(unattributed)"],
            mostly=0.5,
            description="most credit finds a touch",
            notes="Deals without contacts, or contacts without touches: marketing's part looks smaller than it is.",
        ),
    ],
}

BATCHES = {
    "conversions": """
        select
            credited.conversion_id,
            credited.model,
            credited.credit,
            coalesce(deal.amount, purchase.amount) - credited.credited_amount as amount_lost
        from (
            select
                conversion_id,
                model,
                min(opportunity_key) as opportunity_key,
                min(converted_key) as converted_key,
                sum(credit) as credit,
                sum(credited_amount) as credited_amount
            from {{ ref('fct_attribution') }}
            where {{ is_touched('conversion_id', 'fct_attribution') }}
            group by conversion_id, model
        ) as credited
        left join {{ ref('fct_opportunities') }} as deal on credited.opportunity_key = deal.opportunity_key
        left join lateral (
            select sum(net_amount) as amount from {{ ref('fct_orders') }} where order_key = credited.converted_key
        ) as purchase on credited.opportunity_key is null
    """,
    # Every model shows the same touches.
    "touches": """
        select credited.conversion_id, credited.touch_id, credited.converted_at, touch.touched_at
        from {{ changed('fct_attribution') }} as credited
        inner join {{ ref('fct_touchpoints') }} as touch on credited.touch_id = touch.touch_id
        where credited.model = 'linear'
    """,
}
KEYS = {"conversions": ["conversion_id", "model"], "touches": ["conversion_id", "touch_id"]}

PASSING = [
    {
        "conversion_id": "o1:won",
        "converted_key": "o1",
        "computed_key": "o1",
        "opportunity_key": "o1",
        "conversion_type": "won",
        "converted_at": "2026-01-05 18:00+00",
        "model": model,
        "touch_id": "t1",
        "channel": "Paid Search",
        "campaign_key": "c11",
        "region": "EMEA",
        "credit": 1,
        "credited_amount": 1100,
        "converted_month": "2026-01-01",
        "touched_month": "2026-01-01",
    }
    for model in MODELS
]

POISON = {
    "every touch has its credit": [{"credit": None, "credited_amount": None}],
    "credit lies between 0 and 1": [{"credit": 1.5}, {"touch_id": "t2", "credit": -0.5, "credited_amount": 0}],
    "every model is one we explain": [{"model": "gut feeling"}],
    "credit adds up to one": [{"credit": 0.9}],
    "credited amounts add up to the deal or order": [{"credited_amount": 1099.99}],
    "no credit before cause": [{"model": "linear", "converted_at": "2026-01-05 09:59+00"}],
    "most credit finds a touch": [{"channel": "(unattributed)"}],
}
