"""What is special about reading Microsoft Ads."""

from datetime import date
from typing import Any

import pytest

from funnel.contract import Window
from funnel.rest import client
from funnel.rest.accounts import bodies as bodies_of
from funnel.sources import SOURCES
from tests.sources.test_streams import WEEK, read


def test_a_report_of_microsoft_keeps_what_it_says_of_its_zone(company: Any) -> None:
    def zones(**extra: Any) -> set[str]:
        connection = company.connection("microsoft_ads", **extra)
        return {
            row["Report Time Zone"]
            for page in read("microsoft_ads", "campaign_stats", connection, WEEK)
            for row in page
        }

    assert zones() == {"(GMT) Greenwich Mean Time: Dublin, Edinburgh, Lisbon, London"}
    assert zones(report_time_zone="EasternTimeUSCanada") == {"(GMT-05:00) Eastern Time (US and Canada)"}


def test_a_report_of_microsoft_without_data_has_no_body(company: Any) -> None:
    before = Window(date(2026, 1, 1), date(2026, 1, 3))
    assert read("microsoft_ads", "campaign_stats", company.connection("microsoft_ads"), before) == []


def test_the_token_of_microsoft_does_not_follow_a_file_elsewhere(company: Any) -> None:
    """The URL comes from a body and may lead to any host."""
    sent: list[Any] = []
    ask_once = client.Client._ask_once

    def listen(self: Any, request: Any, token: str | None) -> Any:
        sent.append((request.path, token))
        return ask_once(self, request, token)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client.Client, "_ask_once", listen)
        read("microsoft_ads", "campaign_stats", company.connection("microsoft_ads"), WEEK)
    files = [token for path, token in sent if "/ReportDownload/" in path]
    assert files == [None, None]
    assert all(token for path, token in sent if "/GenerateReport/" in path)


def test_a_report_of_many_rows_is_loaded_a_few_at_a_time(company: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from funnel.ingest import json_rows

    monkeypatch.setattr(json_rows, "LINES_AT_ONCE", 10)
    source = SOURCES["microsoft_ads"]
    stream = source.stream("campaign_stats")
    bodies = list(bodies_of(source.fetch(company.connection("microsoft_ads"), stream, WEEK)))
    tally = json_rows.Tally()
    texts = list(json_rows.lines(source, stream, "microsoft_ads", WEEK, bodies, b"secret", "\n", tally))
    assert max(text.count("\n") for text in texts) == 10
    assert sum(text.count("\n") for text in texts) == tally.readable > 60
    assert tally.quarantined == 0
