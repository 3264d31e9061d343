"""Checks of marts.dim_campaigns before its publication."""

import great_expectations.expectations as gxe
from great_expectations.expectations.row_conditions import Column

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToBeInSet(
            column="channel",
            value_set={"$PARAMETER": "channels"},
            description="every campaign's channel is in dim_channels",
            notes="Its spend would be in a channel without an owner. Correct seeds/campaign_channel_rules.csv.",
        ),
        gxe.ExpectColumnValuesToNotMatchRegex(
            column="all_text",
            regex=r"[^\s@]+@[^\s@]+\.[A-Za-z]{2,}",
            description="no text holds an e-mail address",
            notes="Readers of bi may not see persons. Rename the campaign at the vendor.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToNotBeNull(
            column="campaign_name",
            mostly=0.9,
            description="campaigns have names",
            notes="Statistics came before the campaign was described; the next ingest usually brings the name.",
        ),
        gxe.ExpectColumnValuesToNotBeInSet(
            column="channel",
            value_set=["Unknown", "Paid Other"],
            row_condition=Column("campaign_key") != "(no campaign)",
            mostly=0.9,
            description="campaigns have a channel of their own",
            notes="The platform has a campaign type that seeds/campaign_channel_rules.csv does not name.",
        ),
    ],
}

PASSING = [
    {
        "campaign_key": "c11",
        "platform": "google_ads",
        "ad_account_id": "1",
        "campaign_id": "11",
        "campaign_name": "Brand",
        "channel": "Paid Search",
        "first_seen_date": "2026-01-05",
    }
]

POISON = {
    "every campaign's channel is in dim_channels": [{"channel": "Radio"}],
    "no text holds an e-mail address": [{"campaign_name": "Retarget ana.silva@example.com"}],
    "campaigns have names": [{"campaign_name": None}],
    "campaigns have a channel of their own": [{"channel": "Unknown"}],
}
