"""Checks of marts.dim_channels before its publication."""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToBeInSet(
            column="owner_team",
            value_set=["marketing", "sales", "partner", "unknown"],
            description="every channel has an owner we know",
            notes="It decides which team owns the leads. Correct seeds/channels.csv.",
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="channel_group",
            value_set=["paid", "owned", "earned", "outbound", "partner", "unknown"],
            description="every channel is in a group we know",
            notes="Correct seeds/channels.csv.",
        ),
    ],
    "members": [
        gxe.ExpectColumnDistinctValuesToContainSet(
            column="channel",
            value_set=["Unknown", "Direct", "Outbound", "Partner"],
            description="the channels that rules fall back to are there",
            notes="Rows without a matching rule get these channels, or would disappear. Correct seeds/channels.csv.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToBeInSet(
            column="is_known",
            value_set=[True],
            description="every channel that files state is one of ours",
            notes="It is shown as a separate channel without an owner. Map it by `channels` in the manifest, or "
            "add it to seeds/channels.csv with its group and owner.",
        ),
    ],
}

BATCHES = {"members": "select channel from {{ ref('dim_channels') }}"}

PASSING = [
    {"channel": "Unknown", "channel_group": "unknown", "owner_team": "unknown", "is_known": True},
    {"channel": "Direct", "channel_group": "earned", "owner_team": "marketing"},
    {"channel": "Outbound", "channel_group": "outbound", "owner_team": "sales"},
    {"channel": "Partner", "channel_group": "partner", "owner_team": "partner"},
    {"channel": "Paid Search", "channel_group": "paid", "owner_team": "marketing"},
]

POISON = {
    "every channel has an owner we know": [*PASSING, {"channel": "Radio", "owner_team": "agency"}],
    "every channel that files state is one of ours": [*PASSING, {"channel": "Podcast", "is_known": False}],
    "every channel is in a group we know": [*PASSING, {"channel": "Radio", "channel_group": "bought"}],
    "the channels that rules fall back to are there": PASSING[1:],
}
