"""Google Ads: campaign statistics per day and campaign attributes, over the REST interface."""

from funnel.contract import Column, Stream

STREAMS = (
    Stream(
        name="campaign_stats",
        kind="dated",
        key=("customer_id", "campaign_id", "date"),
        day="date",
        columns=(
            Column("date", "date", "segments.date", required=True),
            Column("customer_id", "text", "customer.id", required=True),
            Column("currency_code", "text", "customer.currencyCode", required=True),
            Column("time_zone", "text", "customer.timeZone"),
            Column("campaign_id", "text", "campaign.id", required=True),
            Column("impressions", "bigint", "metrics.impressions"),
            Column("clicks", "bigint", "metrics.clicks"),
            Column("cost_micros", "bigint", "metrics.costMicros", required=True),
            Column("conversions", "numeric", "metrics.conversions"),
            Column("conversions_value", "numeric", "metrics.conversionsValue"),
        ),
        ignored=("customer.resourceName", "campaign.resourceName"),
    ),
    Stream(
        name="campaigns",
        kind="changed",
        key=("customer_id", "campaign_id"),
        keep_versions=True,
        columns=(
            Column("customer_id", "text", "customer.id", required=True),
            Column("campaign_id", "text", "campaign.id", required=True),
            Column("campaign_name", "text", "campaign.name"),
            Column("status", "text", "campaign.status"),
            Column("advertising_channel_type", "text", "campaign.advertisingChannelType"),
        ),
        ignored=("customer.resourceName", "campaign.resourceName"),
    ),
)
