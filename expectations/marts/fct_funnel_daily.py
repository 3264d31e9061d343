"""Checks of marts.fct_funnel_daily before its publication. Tests of dbt check that it holds everything in the facts."""

import great_expectations.expectations as gxe
from great_expectations.expectations.row_conditions import Column

CRITICAL = {
    "rows": [
        gxe.ExpectColumnValuesToBeInSet(
            column="channel",
            value_set={"$PARAMETER": "channels"},
            description="every channel is in dim_channels",
            notes="It would be in no team's sum. Correct seeds/channel_rules.csv.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="leads", min_value=0, description="counts of leads are never negative"
        ),
    ],
}

WARNING = {
    "rows": [
        gxe.ExpectColumnValuesToBeBetween(column="spend", min_value=0, description="spend is never negative"),
    ],
    # The last 28 complete days together.
    "recent": [
        gxe.ExpectColumnValuesToBeBetween(
            column="unknown_share",
            max_value=0.2,
            row_condition=Column("leads") >= 20,
            description="at most 20 % of the leads have channel Unknown",
            notes="Above a fifth, channels can no longer be compared. Extend seeds/channel_rules.csv; staging shows "
            "what the vendors wrote.",
        ),
    ],
    "sources": [
        gxe.ExpectColumnValuesToBeBetween(
            column="days_behind",
            max_value=1,
            description="every source is up to date",
            notes="Its days are missing from the newest rows; data_status names it. Look at its ingest DAG.",
        ),
    ],
}

BATCHES = {
    "recent": """
        select
            sum(leads) as leads,
            coalesce(sum(leads) filter (where channel = 'Unknown'), 0) / nullif(sum(leads), 0) as unknown_share
        from {{ ref('fct_funnel_daily') }}
        where date_day >= {{ as_of_date() }} - 28 and date_day < {{ as_of_date() }}
    """,
    "sources": """
        select source, connection_id, {{ as_of_date() }} - 1 - last_day_complete as days_behind
        from {{ source('ops', 'sources') }}
        where first_day is not null
    """,
}
KEYS = {"sources": ["source", "connection_id"]}

PASSING = [
    {
        "date_day": "2026-01-05",
        "month_start": "2026-01-01",
        "channel": "Paid Search",
        "campaign_key": "c11",
        "region": "(not split)",
        "spend": 99,
        "impressions": 1000,
        "clicks": 50,
        "sessions": 0,
        "leads": 0,
        "mqls": 0,
        "sals": 0,
        "sqls": 0,
        "opportunities": 0,
        "pipeline_amount": 0,
        "won": 0,
        "won_amount": 0,
        "lost": 0,
        "orders": 0,
        "order_amount": 0,
    },
    {
        "date_day": "2026-01-05",
        "month_start": "2026-01-01",
        "channel": "Paid Search",
        "campaign_key": "c11",
        "region": "EMEA",
        "spend": 0,
        "impressions": 0,
        "clicks": 0,
        "sessions": 42,
        "leads": 1,
        "mqls": 1,
        "sals": 0,
        "sqls": 0,
        "opportunities": 1,
        "pipeline_amount": 1100,
        "won": 1,
        "won_amount": 1100,
        "lost": 0,
        "orders": 1,
        "order_amount": 66,
    },
]

_ADS, _CRM = PASSING
POISON = {
    "every channel is in dim_channels": [{**_ADS, "channel": "Radio"}, _CRM],
    "spend is never negative": [{**_ADS, "spend": 100}, {**_CRM, "spend": -1}],
    "counts of leads are never negative": [{**_ADS, "leads": -1}, {**_CRM, "leads": 2}],
    "at most 20 % of the leads have channel Unknown": [_ADS, {**_CRM, "channel": "Unknown", "leads": 20}],
    "every source is up to date": {"ops.sources": [{"last_day_complete": "2026-01-02"}]},
}
