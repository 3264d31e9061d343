"""Checks of the rows that Microsoft Ads delivered.

One list per stream, over the rows that the run loaded. The connector checks that the report is complete.
"""

import great_expectations.expectations as gxe

CRITICAL = {
    "campaign_stats": [
        gxe.ExpectColumnValuesToBeBetween(column="spend", min_value=0, description="spend is never negative"),
        gxe.ExpectColumnValuesToBeBetween(
            column="impressions", min_value=0, description="impressions are never negative"
        ),
        gxe.ExpectColumnValuesToBeBetween(column="clicks", min_value=0, description="clicks are never negative"),
        gxe.ExpectColumnValuesToBeBetween(
            column="conversions",
            min_value=0,
            description="conversions are never negative",
            notes="Restated conversions go down to 0, not below.",
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
            notes="Every column asked for is in every row, so mostly null means that the column went missing.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="clicks",
            mostly=0.5,
            description="clicks are delivered",
            notes="Mostly null: the column went missing.",
        ),
    ],
    "campaigns": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="campaign_name",
            mostly=0.5,
            description="campaigns have names",
            notes="Microsoft refuses a campaign without a name, so mostly null means that the column went missing.",
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
        gxe.ExpectColumnValuesToMatchRegex(
            column="report_time_zone",
            regex="^\\(GMT",
            description="the report names its time zone",
            notes="The only sign should Microsoft begin to cut days elsewhere.",
        ),
    ],
    "campaigns": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="campaign_type",
            mostly=0.9,
            description="campaigns have types",
            notes="It distinguishes channels.",
        ),
    ],
}

# One row per stream that passes every expectation.
PASSING = {
    "campaign_stats": {
        "date": "2026-01-05",
        "account_id": "4",
        "currency_code": "USD",
        "campaign_id": "44",
        "impressions": 1200,
        "clicks": 30,
        "spend": 61.4,
        "conversions": 2,
        "revenue": 90,
        "report_time_zone": "(GMT) Greenwich Mean Time: Dublin, Edinburgh, Lisbon, London",
    },
    "campaigns": {
        "account_id": "4",
        "campaign_id": "44",
        "campaign_name": "Bing Brand",
        "status": "Active",
        "campaign_type": "Search & content",
    },
}

# By description: all rows of the delivery, each laid over the passing one.
POISON = {
    "campaign_stats": {
        "spend is never negative": [{"spend": -0.01}],
        "impressions are never negative": [{"impressions": -1, "clicks": None}, {"campaign_id": "45"}],
        "clicks are never negative": [{"clicks": -1}],
        "conversions are never negative": [{"conversions": -1}],
        "the currency is an ISO 4217 code": [{"currency_code": "$"}],
        "impressions are delivered": [{"impressions": None}],
        "clicks are delivered": [{"clicks": None}],
        "clicks do not exceed impressions": [{"impressions": 1, "clicks": 2}],
        "the report names its time zone": [{"report_time_zone": "Rows: 12"}],
    },
    "campaigns": {
        "campaigns have names": [{"campaign_name": None}],
        "campaigns have types": [{"campaign_type": None}],
    },
}
