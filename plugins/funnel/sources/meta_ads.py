"""Meta Ads: campaign insights per day, campaign attributes and ad accounts, over the Graph API."""

from funnel.contract import Column, Stream

STREAMS = (
    Stream(
        name="insights",
        kind="dated",
        key=("account_id", "campaign_id", "date_start"),
        day="date_start",
        columns=(
            Column("date_start", "date", "date_start", required=True),
            Column("account_id", "text", "account_id", required=True),
            Column("account_currency", "text", "account_currency", required=True),
            Column("campaign_id", "text", "campaign_id", required=True),
            Column("impressions", "bigint", "impressions"),
            Column("clicks", "bigint", "clicks"),
            Column("spend", "numeric", "spend", required=True),
            Column("actions", "jsonb", "actions"),
            Column("action_values", "jsonb", "action_values"),
        ),
        ignored=("date_stop",),
    ),
    Stream(
        name="campaigns",
        kind="changed",
        key=("account_id", "campaign_id"),
        keep_versions=True,
        columns=(
            Column("account_id", "text", "account_id", required=True),
            Column("campaign_id", "text", "id", required=True),
            Column("campaign_name", "text", "name"),
            Column("status", "text", "effective_status"),
            Column("objective", "text", "objective"),
        ),
    ),
    Stream(
        name="accounts",
        kind="changed",
        key=("account_id",),
        columns=(
            Column("account_id", "text", "account_id", required=True),
            Column("account_name", "text", "name"),
            Column("currency_code", "text", "currency"),
            Column("time_zone", "text", "timezone_name"),
        ),
        ignored=("id",),
    ),
)
