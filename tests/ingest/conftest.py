"""Made-up vendor bodies for the loader: `land` writes a vendor's response, without a vendor."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from funnel.contract import Connection, Source, Stream, Window
from funnel.ingest import landing
from funnel.ingest.landing import LandedRead
from funnel.sources import SOURCES

Land = Callable[..., LandedRead]


def ad_row(day: str, campaign: str = "11", cost: Any = "1000000", **changes: Any) -> dict[str, Any]:
    """One row of a response of Google Ads."""
    row = {
        "customer": {"resourceName": "customers/1", "id": "1", "currencyCode": "EUR"},
        "campaign": {"resourceName": f"customers/1/campaigns/{campaign}", "id": campaign},
        "metrics": {
            "impressions": "100",
            "clicks": "5",
            "costMicros": cost,
            "conversions": 1.5,
            "conversionsValue": 9.99,
        },
        "segments": {"date": day},
    }
    for path, value in changes.items():
        group, _, name = path.partition("__")
        row.setdefault(group, {})[name] = value
    return row


@pytest.fixture
def land(warehouse: str) -> Land:
    """land(source, stream, [[record, …], …], from, to, fetched_at=…): a complete landed read of those pages."""

    def make(
        source_name: str,
        stream_name: str,
        pages: list[list[Any]],
        from_day: str = "2026-01-05",
        to_day: str = "2026-01-06",
        *,
        fetched_at: str = "2026-01-06T03:00:00+00:00",
        connection_id: str | None = None,
        run_id: str = "test",
    ) -> LandedRead:
        known = SOURCES[source_name]
        envelope = {"google_ads": "results", "meta_ads": "data", "hubspot": "results", "salesforce": "records"}[
            source_name
        ]

        def fetch(connection: Connection, stream: Stream, window: Window) -> Iterator[bytes]:
            for page in pages:
                yield json.dumps({envelope: page}).encode()

        source: Source = replace(known, fetch=fetch)
        return landing.land(
            source,
            Connection(connection_id or source_name, "http://vendor.invalid"),
            known.stream(stream_name),
            Window(date.fromisoformat(from_day), date.fromisoformat(to_day)),
            run_id,
            datetime.fromisoformat(fetched_at).astimezone(UTC),
        )

    return make
