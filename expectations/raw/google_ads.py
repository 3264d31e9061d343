"""Checks of the rows that Google Ads delivered.

One list per stream, over the rows that the run loaded. The connector checks that Google answered completely.
"""

import great_expectations.expectations as gxe

CRITICAL = {
    "campaign_stats": [
        gxe.ExpectColumnValuesToBeBetween(
            column="cost_micros",
            min_value=0,
            description="cost is never negative",
            notes="Google credits invoices, not days.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="impressions", min_value=0, description="impressions are never negative"
        ),
        gxe.ExpectColumnValuesToBeBetween(column="clicks", min_value=0, description="clicks are never negative"),
        gxe.ExpectColumnValuesToBeBetween(
            column="conversions",
            min_value=0,
            description="conversions are never negative",
            notes="Adjustments reduce conversions to 0 at most, not below.",
        ),
        gxe.ExpectColumnValuesToMatchRegex(
            column="currency_code",
            regex="^[A-Z]{3}$",
            description="the currency is an ISO 4217 code",
            notes="Without a currency there is no rate and the spend has no value.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="impressions",
            mostly=0.5,
            description="impressions are delivered",
            notes="Mostly null means that the field went missing: Google leaves out all-zero rows, not fields.",
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
            notes="Google refuses a campaign without a name, so mostly null means that the field went missing.",
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
            notes="A click can fall on the day after its impression, so a few rows may.",
        ),
    ],
    "campaigns": [
        gxe.ExpectColumnValuesToBeInSet(
            column="status",
            value_set=["ENABLED", "PAUSED", "REMOVED"],
            description="the status is a known one",
            notes="An unknown one does not say whether the campaign still spends.",
        ),
    ],
}

# One row per stream that passes every expectation.
PASSING = {
    "campaign_stats": {
        "date": "2026-01-05",
        "customer_id": "1",
        "currency_code": "EUR",
        "campaign_id": "11",
        "impressions": 1000,
        "clicks": 50,
        "cost_micros": 90_000_000,
        "conversions": 1.5,
        "conversions_value": 20,
    },
    "campaigns": {"customer_id": "1", "campaign_id": "11", "campaign_name": "Brand", "status": "ENABLED"},
}

# By description: all rows of the delivery, each laid over the passing one.
POISON = {
    "campaign_stats": {
        "cost is never negative": [{"cost_micros": -1}],
        "impressions are never negative": [{"impressions": -1, "clicks": None}, {"campaign_id": "12"}],
        "clicks are never negative": [{"clicks": -1}],
        "conversions are never negative": [{"conversions": -0.5}],
        "the currency is an ISO 4217 code": [{"currency_code": "€"}],
        "impressions are delivered": [{"impressions": None}],
        "clicks are delivered": [{"clicks": None}],
        "clicks do not exceed impressions": [{"impressions": 1, "clicks": 2}],
    },
    "campaigns": {
        "campaigns have names": [{"campaign_name": None}],
        "the status is a known one": [{"status": "HIBERNATING"}],
    },
}
