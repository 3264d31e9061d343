"""Checks of the rows that LinkedIn Ads delivered.

One list per stream, over the rows that the run loaded. The connector checks that LinkedIn answered completely.
"""

import great_expectations.expectations as gxe

CRITICAL = {
    "campaign_stats": [
        gxe.ExpectColumnValuesToBeBetween(
            column="cost_in_local_currency", min_value=0, description="cost is never negative"
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="impressions", min_value=0, description="impressions are never negative"
        ),
        gxe.ExpectColumnValuesToBeBetween(column="clicks", min_value=0, description="clicks are never negative"),
        gxe.ExpectColumnValuesToBeBetween(
            column="external_website_conversions",
            min_value=0,
            description="conversions are never negative",
            notes="LinkedIn's corrections reduce values to 0 at most, not below.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="impressions",
            mostly=0.5,
            description="impressions are delivered",
            notes="Every field asked for is in every element, so mostly null means that the field went missing.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="clicks",
            mostly=0.5,
            description="clicks are delivered",
            notes="Mostly null: the field went missing.",
        ),
    ],
    "campaigns": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="campaign_name",
            mostly=0.5,
            description="campaigns have names",
            notes="LinkedIn refuses a campaign without a name, so mostly null means that the field went missing.",
        ),
    ],
    "accounts": [
        gxe.ExpectColumnValuesToMatchRegex(
            column="currency_code",
            regex="^[A-Z]{3}$",
            description="the account's currency is an ISO 4217 code",
            notes="The statistics name none: without this one no rate is found and the spend has no value.",
        ),
    ],
}

WARNING = {
    "campaign_stats": [
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="impressions",
            column_B="clicks",
            or_equal=True,
            ignore_row_if="either_value_is_missing",
            mostly=0.98,
            description="clicks do not exceed impressions",
            notes="Several clicks on one impression count, so a few small rows may.",
        ),
    ],
    "campaigns": [
        gxe.ExpectColumnValuesToBeInSet(
            column="status",
            value_set=[
                "ACTIVE",
                "PAUSED",
                "ARCHIVED",
                "COMPLETED",
                "CANCELED",
                "DRAFT",
                "PENDING_DELETION",
                "REMOVED",
            ],
            description="the status is a known one",
            notes="Campaigns are requested by status: one with a new status would be missing.",
        ),
    ],
}

# One row per stream that passes every expectation.
PASSING = {
    "campaign_stats": {
        "date": "2026-01-05",
        "campaign_id": "33",
        "impressions": 900,
        "clicks": 12,
        "cost_in_local_currency": 93.25,
        "external_website_conversions": 2,
        "one_click_leads": 1,
        "conversion_value_in_local_currency": 135,
    },
    "campaigns": {
        "account_id": "3",
        "campaign_id": "33",
        "campaign_name": "CFOs",
        "status": "ACTIVE",
        "campaign_type": "SPONSORED_UPDATES",
        "objective": "LEAD_GENERATION",
    },
    "accounts": {"account_id": "3", "account_name": "Example Inc", "currency_code": "USD", "status": "ACTIVE"},
}

# By description: all rows of the delivery, each laid over the passing one.
POISON = {
    "campaign_stats": {
        "cost is never negative": [{"cost_in_local_currency": -0.01}],
        "impressions are never negative": [{"impressions": -1, "clicks": None}, {"campaign_id": "34"}],
        "clicks are never negative": [{"clicks": -1}],
        "conversions are never negative": [{"external_website_conversions": -1}],
        "impressions are delivered": [{"impressions": None}],
        "clicks are delivered": [{"clicks": None}],
        "clicks do not exceed impressions": [{"impressions": 1, "clicks": 2}],
    },
    "campaigns": {
        "campaigns have names": [{"campaign_name": None}],
        "the status is a known one": [{"status": "HIBERNATING"}],
    },
    "accounts": {
        "the account's currency is an ISO 4217 code": [{"currency_code": "usd"}],
    },
}
