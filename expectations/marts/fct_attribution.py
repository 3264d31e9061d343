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
        gxe.ExpectColumnValuesToBeInSet(
            column="model",
            value_set=MODELS,
            description="every model is one we explain",
            notes="Readers choose by these names.",
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


PASSING = [
    {
        "conversion_id": "o1:won",
        "converted_key": "o1",
        "_computed_key": "o1",
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
    "every model is one we explain": [{"model": "gut feeling"}],
    "most credit finds a touch": [{"channel": "(unattributed)"}],
}
