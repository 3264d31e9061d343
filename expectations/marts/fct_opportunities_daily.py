"""Checks of marts.fct_opportunities_daily before its publication."""

import great_expectations.expectations as gxe
from great_expectations.expectations.row_conditions import Column

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="amount",
            row_condition=Column("amount_local").is_not_null(),
            description="every amount of the pipeline has a rate",
            notes="Days that were published are never computed again: a missing rate would stay missing.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="date_day",
            max_value={"$PARAMETER": "as_of_date"},
            strict_max=True,
            description="no day is shown that is not over",
            notes="It would be published incomplete and never be completed.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="region",
            description="every snapshot has a region",
            notes="Roles limited to a region would see it in none.",
        ),
    ],
    "continued": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="snapshot_key",
            description="a deal that stays open keeps its daily row",
            notes="A deal that was shown the day before and is still open has no row on the newest day.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="expected_close_date",
            mostly=0.5,
            description="most open deals have an expected close date",
            notes="Without one a deal is in no period's coverage.",
        ),
    ],
}

BATCHES = {
    "continued": """
        select
            opportunities.opportunity_key,
            today.opportunity_key as snapshot_key
        from {{ ref('fct_opportunities_daily') }} as yesterday
        inner join {{ ref('fct_opportunities') }} as opportunities
            on yesterday.opportunity_key = opportunities.opportunity_key and opportunities.is_open
        left join {{ ref('fct_opportunities_daily') }} as today
            on today.date_day = {{ as_of_date() }} - 1 and yesterday.opportunity_key = today.opportunity_key
        where yesterday.date_day = {{ as_of_date() }} - 2
    """,
}
KEYS = {"continued": ["opportunity_key"]}

PASSING = [
    {
        "date_day": "2026-01-05",
        "opportunity_key": "o2",
        "region": "EMEA",
        "opportunity_type": "new_business",
        "stage": "Qualification",
        "currency_code": "EUR",
        "amount": 1100,
        "amount_local": 1000,
        "probability": 0.2,
        "weighted_amount": 220,
        "is_reconstructed": False,
        "created_date": "2026-01-05",
        "expected_close_date": "2026-02-05",
    }
]

POISON = {
    "every amount of the pipeline has a rate": [{"amount": None, "weighted_amount": None}],
    "no day is shown that is not over": [{"date_day": "2026-01-06"}],
    "every snapshot has a region": [{"region": None}],
    "a deal that stays open keeps its daily row": {
        "marts.fct_opportunities_daily": [{"date_day": "2026-01-04"}],
        "marts.fct_opportunities": [
            {
                "opportunity_key": "o2",
                "opportunity_id": "0063",
                "is_open": True,
                "is_won": False,
                "created_date": "2026-01-04",
                "closed_at": None,
                "closed_date": None,
            }
        ],
    },
    "most open deals have an expected close date": [{"expected_close_date": None}],
}
