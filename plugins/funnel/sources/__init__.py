"""The vendors, one module each. A source's name is the module's name."""

from funnel.contract import Source
from funnel.sources import (
    exchange_rates,
    files,
    ga4,
    google_ads,
    hubspot,
    linkedin_ads,
    meta_ads,
    microsoft_ads,
    salesforce,
    shopify,
)

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        google_ads.SOURCE,
        meta_ads.SOURCE,
        linkedin_ads.SOURCE,
        microsoft_ads.SOURCE,
        hubspot.SOURCE,
        salesforce.SOURCE,
        ga4.SOURCE,
        shopify.SOURCE,
        exchange_rates.SOURCE,
        files.SOURCE,
    )
}

# The inbox is a source whose connections are the manifests found in it; all others are vendors with an API.
INBOX = files.SOURCE
VENDORS: dict[str, Source] = {name: source for name, source in SOURCES.items() if not source.is_inbox}
