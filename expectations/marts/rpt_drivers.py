"""Checks of marts.rpt_drivers before its publication. A test of dbt checks that the effects add up to the change."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="period_start",
            column_B="compared_start",
            description="a period is compared with an earlier one",
            notes="The period before, or the same period a year before.",
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="n_effects",
            value_set=[1],
            description="a row has one kind of effect",
            notes="That of the number in the first step, of a rate, or of the amount per deal.",
        ),
    ],
}

WARNING: dict[str, list[gxe.Expectation]] = {}

BATCHES = {
    "rows": """
        select
            mart.*,
            num_nonnulls(
                nullif(mart.volume_effect, 0), nullif(mart.rate_effect, 0), nullif(mart.value_effect, 0)
            ) as n_effects
        from {{ changed('rpt_drivers') }} as mart
    """,
}

PASSING = [
    {
        "period_start": "2026-02-01",
        "period_grain": "month",
        "compared_with": "period before",
        "compared_start": "2026-01-01",
        "measure": "won_amount",
        "channel": "Paid Search",
        "campaign_key": "c11",
        "region": "EMEA",
        "step": "won",
        "from_step": None,
        "earlier_factor": 1,
        "later_factor": 0,
        "volume_effect": -1100,
        "rate_effect": 0,
        "value_effect": 0,
    }
]

POISON = {
    "a period is compared with an earlier one": [{"compared_start": "2026-02-01"}],
    "a row has one kind of effect": [{"value_effect": 5}],
}
