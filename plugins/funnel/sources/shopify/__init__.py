"""Shopify: orders with their lines and refunds, and the shop, over the GraphQL Admin API.

An order is one record that holds its lines and refunds: any change of them changes the order, so the newest read of an
order replaces all of it (MON-3). Windows are days in UTC over the time of the last change. Long windows are read by
a bulk operation, which gives the same records.
"""

from funnel.contract import Source
from funnel.sources.shopify import fetch, streams

SOURCE = Source(
    name="shopify",
    streams=streams.STREAMS,
    # A changed order, refunds included, is found by its last change; one more day, since indexing lags.
    restatement_days=1,
    fetch=fetch.fetch,
    records=fetch.records,
    list_ids=fetch.list_ids,
    owner="e-commerce",
)
