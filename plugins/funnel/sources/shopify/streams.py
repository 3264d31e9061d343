"""The streams of Shopify."""

from funnel.contract import Column, ColumnType, Money, Reconcile, Stream

# The values that the marts read of each line and refund. If one is missing, the order is quarantined: its sum would be
# wrong.
_LINE_HOLDS: tuple[tuple[str, ColumnType], ...] = (
    ("id", "text"),
    ("title", "text"),
    ("sku", "text"),
    ("quantity", "bigint"),
    ("originalTotalSet.shopMoney.amount", "numeric"),
)


_REFUND_HOLDS: tuple[tuple[str, ColumnType], ...] = (
    ("createdAt", "timestamptz"),
    ("totalRefundedSet.shopMoney.amount", "numeric"),
)


STREAMS = (
    Stream(
        name="orders",
        kind="changed",
        key=("order_id",),
        modified="updated_at",
        reconcile=Reconcile(since="created_at"),
        lookups=("customer_id", "email_key", "opportunity_id"),
        columns=(
            Column("order_id", "text", "legacyResourceId", required=True),
            Column("updated_at", "timestamptz", "updatedAt", required=True),
            Column("created_at", "timestamptz", "createdAt", required=True),
            Column("processed_at", "timestamptz", "processedAt"),
            Column("cancelled_at", "timestamptz", "cancelledAt"),
            Column("order_name", "text", "name"),
            Column("is_test", "boolean", "test"),
            Column("financial_status", "text", "displayFinancialStatus"),
            Column("sales_channel", "text", "sourceName"),
            Column("currency_code", "text", "currencyCode"),
            Column("taxes_included", "boolean", "taxesIncluded"),
            Column("subtotal", "numeric", "subtotalPriceSet.shopMoney.amount"),
            Column("email", "email", "email"),
            Column("customer_id", "text", "customer.legacyResourceId", person=("customers",)),
            Column("country_id", "text", "billingAddress.countryCodeV2"),
            Column("utm_source", "text", "customerJourneySummary.lastVisit.utmParameters.source"),
            Column("utm_medium", "text", "customerJourneySummary.lastVisit.utmParameters.medium"),
            Column("utm_campaign", "text", "customerJourneySummary.lastVisit.utmParameters.campaign"),
            Column("opportunity_id", "text", "opportunity.value"),
            Column("tags", "jsonb", "tags", holds=(), erased="opportunity"),
            Column(
                *("attributes", "jsonb", "customAttributes"),
                holds=(("key", "text"), ("value", "text")),
                erased="opportunity",
            ),
            Column("discount_codes", "jsonb", "discountCodes", holds=()),
            Column("lines", "jsonb", "lineItems.nodes", required=True, holds=_LINE_HOLDS),
            Column("refunds", "jsonb", "refunds", costs_row=True, holds=_REFUND_HOLDS),
        ),
        ignored=("id", "lineItems.pageInfo"),
        money=Money("currency_code", ("subtotal",)),
    ),
    Stream(
        name="shops",
        kind="changed",
        key=("shop_id",),
        columns=(
            Column("shop_id", "text", "id", required=True),
            Column("shop_name", "text", "name"),
            Column("domain", "text", "myshopifyDomain"),
            Column("time_zone", "text", "ianaTimezone"),
            Column("currency_code", "text", "currencyCode"),
        ),
    ),
)
