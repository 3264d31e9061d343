"""Checks of marts.dim_campaigns_history before its publication."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="valid_to",
            column_B="valid_from",
            ignore_row_if="either_value_is_missing",
            description="a version ends after it begins",
            notes="Otherwise a day's spend finds no name.",
        ),
        gxe.ExpectColumnValuesToNotMatchRegex(
            column="all_text",
            regex=r"[^\s@]+@[^\s@]+\.[A-Za-z]{2,}",
            description="no text holds an e-mail address",
            notes="Readers of bi may not see persons. Rename the campaign at the vendor; the old version has to be "
            "removed from raw by hand.",
        ),
    ],
    "campaigns": [
        gxe.ExpectColumnValuesToBeBetween(
            column="current_versions",
            min_value=1,
            max_value=1,
            description="a campaign has one current version",
            notes="With two versions its spend would count twice, with none it would have no name.",
        ),
    ],
}

WARNING: dict[str, list[gxe.Expectation]] = {}

BATCHES = {
    "campaigns": """
        select campaign_key, count(*) filter (where valid_to is null) as current_versions
        from {{ ref('dim_campaigns_history') }}
        where campaign_key in (select campaign_key from {{ changed('dim_campaigns_history') }} as changed)
        group by campaign_key
    """,
}

PASSING = [
    {
        "campaign_version_key": "c11v1",
        "campaign_key": "c11",
        "campaign_name": "Brand",
        "valid_from": "2026-01-05",
        "valid_to": "2026-01-12",
    },
    {
        "campaign_version_key": "c11v2",
        "campaign_key": "c11",
        "campaign_name": "Brand EU",
        "valid_from": "2026-01-12",
        "valid_to": None,
    },
]

POISON = {
    "a version ends after it begins": [{"valid_to": "2026-01-05"}, PASSING[1]],
    "no text holds an e-mail address": [{"campaign_name": "for ana@example.com", "valid_to": None}],
    "a campaign has one current version": [{"valid_to": None}, PASSING[1]],
}
