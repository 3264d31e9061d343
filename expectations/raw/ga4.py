"""Checks of the rows that GA4 delivered.

One list per stream, over the rows that the run loaded. The connector checks that GA4 answered completely.
"""

import great_expectations.expectations as gxe

CRITICAL = {
    "sessions": [
        gxe.ExpectColumnValuesToBeBetween(column="sessions", min_value=0, description="sessions are never negative"),
        gxe.ExpectColumnValuesToBeBetween(
            column="key_events", min_value=0, description="key events are never negative"
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="engaged_sessions",
            mostly=0.5,
            description="engaged sessions are delivered",
            notes="GA4 writes 0, never null: mostly null means that the metric went missing.",
        ),
        gxe.ExpectColumnValuesToNotBeInSet(
            column="channel_group",
            value_set=["(not set)", ""],
            mostly=0.5,
            description="sessions have a channel group",
            notes="GA4 writes Unassigned where no rule fits; mostly null means that the dimension changed.",
        ),
    ],
    "properties": [
        gxe.ExpectColumnValuesToMatchRegex(
            column="time_zone",
            regex="^(UTC|[A-Za-z]+(/[A-Za-z0-9_+-]+)+)$",
            description="the property's time zone is an IANA name",
            notes="Its days are in this time zone; without it the end of a day is unknown.",
        ),
    ],
}

WARNING = {
    "sessions": [
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="sessions",
            column_B="engaged_sessions",
            or_equal=True,
            ignore_row_if="either_value_is_missing",
            description="engaged sessions are sessions",
            notes="Sessions and their engagement are estimated apart: a few small rows may differ.",
            mostly=0.98,
        ),
        gxe.ExpectColumnValuesToNotBeInSet(
            column="campaign_name",
            value_set=["(other)"],
            mostly=0.9,
            description="most rows are not (other)",
            notes="GA4 combines rows beyond its limit of distinct values: sums are right, channels are not. Lower "
            "the number of tags in use, or of properties behind one data stream.",
        ),
        gxe.ExpectColumnValuesToBeNull(
            column="truncation_reasons",
            description="no report is cut short",
            notes="GA4 says that it left data out of a report; the days lack it.",
        ),
    ],
    "properties": [
        gxe.ExpectColumnValuesToMatchRegex(
            column="currency_code", regex="^[A-Z]{3}$", description="the property's currency is an ISO 4217 code"
        ),
    ],
}

# One row per stream that passes every expectation.
PASSING = {
    "sessions": {
        "date": "2026-01-05",
        "property_id": "310000001",
        "channel_group": "Paid Search",
        "session_source": "google",
        "session_medium": "cpc",
        "campaign_id": "11",
        "campaign_name": "Brand",
        "country_id": "DE",
        "sessions": 42,
        "engaged_sessions": 30,
        "users": 40,
        "key_events": 2,
    },
    "properties": {"property_id": "310000001", "time_zone": "Europe/Berlin", "currency_code": "EUR"},
}

# By description: all rows of the delivery, each laid over the passing one.
POISON = {
    "sessions": {
        "sessions are never negative": [{"sessions": -1, "engaged_sessions": None}, {"country_id": "FR"}],
        "key events are never negative": [{"key_events": -1}],
        "engaged sessions are delivered": [{"engaged_sessions": None}],
        "sessions have a channel group": [{"channel_group": "(not set)"}],
        "engaged sessions are sessions": [{"engaged_sessions": 43}],
        "most rows are not (other)": [{"campaign_name": "(other)"}],
        "no report is cut short": [{"truncation_reasons": [{"reason": "too large"}]}],
    },
    "properties": {
        "the property's time zone is an IANA name": [{"time_zone": "CET plus one"}],
        "the property's currency is an ISO 4217 code": [{"currency_code": "euro"}],
    },
}
