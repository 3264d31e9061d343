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


PASSING = [
    {
        "month_start": "2026-01-01",
        "channel": "Paid Search",
        "campaign_key": "c11",
        "model": model,
        "region": "(not split)",
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
    "platforms claim at most ten times what was won": [{**each, "overclaim_ratio": 11} for each in PASSING],
}
