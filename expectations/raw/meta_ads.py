"""Checks of the rows that Meta Ads delivered.

One list per stream, over the rows that the run loaded. The connector checks that Meta answered completely.
"""

import great_expectations.expectations as gxe

CRITICAL = {
    "insights": [
        gxe.ExpectColumnValuesToBeBetween(column="spend", min_value=0, description="spend is never negative"),
        gxe.ExpectColumnValuesToBeBetween(
            column="impressions", min_value=0, description="impressions are never negative"
        ),
        gxe.ExpectColumnValuesToBeBetween(column="clicks", min_value=0, description="clicks are never negative"),
        gxe.ExpectColumnValuesToMatchRegex(
            column="account_currency",
            regex="^[A-Z]{3}$",
            description="the currency is an ISO 4217 code",
            notes="Without a currency there is no rate and the spend has no value.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="impressions",
            mostly=0.5,
            description="impressions are delivered",
            notes="Meta reports only campaigns that were shown, so mostly null means that the field went missing.",
        ),
    ],
    "campaigns": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="campaign_name",
            mostly=0.5,
            description="campaigns have names",
            notes="Meta refuses a campaign without a name, so mostly null means that the field went missing.",
        ),
    ],
    "accounts": [
        gxe.ExpectColumnValuesToMatchRegex(
            column="currency_code", regex="^[A-Z]{3}$", description="the account's currency is an ISO 4217 code"
        ),
    ],
}

WARNING = {
    "insights": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="clicks",
            mostly=0.2,
            description="clicks are delivered",
            notes="Meta leaves the field out without clicks: null is common, but nearly all null is not.",
        ),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="impressions",
            column_B="clicks",
            or_equal=True,
            ignore_row_if="either_value_is_missing",
            mostly=0.98,
            description="clicks do not exceed impressions",
            notes="Meta counts several clicks on one impression, so a few small rows may.",
        ),
    ],
    "campaigns": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="objective",
            mostly=0.9,
            description="campaigns have objectives",
            notes="It distinguishes channels; only very old campaigns lack one.",
        ),
    ],
    "accounts": [
        gxe.ExpectColumnValuesToMatchRegex(
            column="time_zone",
            regex="^(UTC|[A-Za-z]+(/[A-Za-z0-9_+-]+)+)$",
            description="the account's time zone is an IANA name",
            notes="Meta's days are in this time zone, which is shown to readers.",
        ),
    ],
}

# One row per stream that passes every expectation.
PASSING = {
    "insights": {
        "date_start": "2026-01-05",
        "account_id": "2",
        "account_currency": "USD",
        "campaign_id": "22",
        "impressions": 5000,
        "clicks": 40,
        "spend": 80,
    },
    "campaigns": {
        "account_id": "2",
        "campaign_id": "22",
        "campaign_name": "Lookalike",
        "status": "ACTIVE",
        "objective": "OUTCOME_LEADS",
    },
    "accounts": {
        "account_id": "2",
        "account_name": "Americas",
        "currency_code": "USD",
        "time_zone": "America/New_York",
    },
}

# By description: all rows of the delivery, each laid over the passing one.
POISON = {
    "insights": {
        "spend is never negative": [{"spend": -0.01}],
        "impressions are never negative": [{"impressions": -1, "clicks": None}, {"campaign_id": "23"}],
        "clicks are never negative": [{"clicks": -1}],
        "the currency is an ISO 4217 code": [{"account_currency": "US dollar"}],
        "impressions are delivered": [{"impressions": None}],
        "clicks are delivered": [{"clicks": None}],
        "clicks do not exceed impressions": [{"impressions": 1, "clicks": 2}],
    },
    "campaigns": {
        "campaigns have names": [{"campaign_name": None}],
        "campaigns have objectives": [{"objective": None}],
    },
    "accounts": {
        "the account's currency is an ISO 4217 code": [{"currency_code": "usd"}],
        "the account's time zone is an IANA name": [{"time_zone": "TZ_NEW_YORK"}],
    },
}
