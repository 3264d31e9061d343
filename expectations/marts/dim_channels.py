"""Would the business believe marts.dim_channels?"""

import great_expectations.expectations as gxe

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToBeInSet(
            column="owner_team",
            value_set=["marketing", "sales", "partner", "unknown"],
            description="every channel has an owner we know",
            notes="Whose leads they are is decided by it. Correct seeds/channels.csv.",
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
            notes="What matches no rule lands on them; without them it would disappear. Correct seeds/channels.csv.",
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToBeInSet(
            column="is_known",
            value_set=[True],
            description="every channel that files state is one of ours",
            notes="It is shown as a channel of its own, which no team owns. Map it by `channels` in the manifest, or "
            "add it to seeds/channels.csv with its group and owner.",
        ),
    ],
}

BATCHES = {"members": "select channel from marts.dim_channels"}

BELIEVABLE = [
    {"channel": "Unknown", "channel_group": "unknown", "owner_team": "unknown", "is_known": True},
    {"channel": "Direct", "channel_group": "earned", "owner_team": "marketing"},
    {"channel": "Outbound", "channel_group": "outbound", "owner_team": "sales"},
    {"channel": "Partner", "channel_group": "partner", "owner_team": "partner"},
    {"channel": "Paid Search", "channel_group": "paid", "owner_team": "marketing"},
]

POISON = {
    "every channel has an owner we know": [*BELIEVABLE, {"channel": "Radio", "owner_team": "agency"}],
    "every channel that files state is one of ours": [*BELIEVABLE, {"channel": "Podcast", "is_known": False}],
    "every channel is in a group we know": [*BELIEVABLE, {"channel": "Radio", "channel_group": "bought"}],
    "the channels that rules fall back to are there": BELIEVABLE[1:],
}
