"""A replay by a release that does not know a stream or a source leaves these reads out and goes on."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from funnel.contract import Window
from funnel.gate import replay
from funnel.ingest import landing
from funnel.ingest.landing import LandedRead

READ = LandedRead(
    source="google_ads",
    connection_id="google_ads",
    stream="stream_of_tomorrow",
    window=Window(date(2026, 1, 1), date(2026, 1, 2)),
    run_id="r1",
    fetched_at=datetime(2026, 1, 2, tzinfo=UTC),
    path="google_ads/google_ads/stream_of_tomorrow/2026-01-01_2026-01-02/r1/a",
    files=(),
    size=0,
)


def test_an_unknown_stream_or_source_is_left_out_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = [READ, replace(READ, source="acme_crm", path="acme_crm/acme_crm/leads/2026-01-01_2026-01-02/r1/a")]
    monkeypatch.setattr(landing, "reads", lambda **_: iter(reads))
    said: list[str] = []
    replay.replay(said.append)
    assert "no stream 'stream_of_tomorrow'" in said[0]
    assert "no source 'acme_crm'" in said[1]
    assert "0 runs replayed" in said[-1]
    assert "2 reads left out" in said[-1]
