"""Bulk API 2.0: long windows are read by it, with the same rows as by REST, and by REST if it refuses."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from funnel.contract import Connection, Window
from funnel.ingest import json_rows
from funnel.rest import errors, jobs, messages
from funnel.sources import SOURCES
from funnel.sources.salesforce import fetch

SALESFORCE = SOURCES["salesforce"]
QUARTER = Window(date(2026, 8, 25), date(2026, 11, 23))
MONTH = Window(date(2026, 10, 24), date(2026, 11, 23))
UNSERVED = {"opportunity_contact_roles", "currency_types", "currency_rates"}
SERVED = [stream.name for stream in SALESFORCE.streams if stream.name not in UNSERVED]


def read(connection: Connection, stream: str, window: Window = QUARTER) -> list[bytes]:
    return list(SALESFORCE.fetch(connection, SALESFORCE.stream(stream), window))


def loaded(connection: Connection, stream: str) -> list[list[str]]:
    """The loader's lines of every record, in order of the key."""
    declared = SALESFORCE.stream(stream)
    to_fields = json_rows.convert(declared, QUARTER, b"secret", "salesforce")
    return sorted(
        to_fields(record, json_rows.Tally())
        for body in read(connection, stream)
        for record in SALESFORCE.records(declared, body)
    )


def by_rest(connection: Connection) -> Connection:
    return replace(connection, extra={**connection.extra, "bulk_from_days": 10_000})


@pytest.mark.parametrize("stream", SERVED)
def test_bulk_gives_the_rows_of_rest(company: Any, stream: str) -> None:
    connection = company.connection("salesforce")
    company.handle.set(salesforce_bulk_page_size=100)
    bodies = read(connection, stream)
    assert bodies
    assert not any(body.startswith(b"{") for body in bodies)
    assert loaded(connection, stream) == loaded(by_rest(connection), stream)


def test_every_page_of_results_is_read(company: Any) -> None:
    company.handle.set(salesforce_bulk_page_size=100)
    connection = company.connection("salesforce")
    bodies = read(connection, "leads")
    assert len(bodies) > 3
    assert sum(len(list(SALESFORCE.records(SALESFORCE.stream("leads"), body))) for body in bodies) == len(
        loaded(by_rest(connection), "leads")
    )


def test_a_short_window_is_read_by_rest(company: Any) -> None:
    assert all(body.startswith(b"{") for body in read(company.connection("salesforce"), "leads", MONTH))


def test_what_bulk_refuses_is_read_by_rest(company: Any) -> None:
    bodies = read(company.connection("salesforce"), "opportunity_contact_roles")
    assert bodies
    assert all(body.startswith(b"{") for body in bodies)


def test_half_a_page_of_results_is_incomplete(company: Any) -> None:
    stream = SALESFORCE.stream("leads")
    connection = company.connection("salesforce")
    whole = read(connection, "leads")[0]
    count = len(list(SALESFORCE.records(stream, whole)))
    headers = {"Sforce-NumberOfRecords": str(count), "Sforce-Locator": "null"}
    assert fetch._read_results(headers, whole) == {"records": count, "locator": None}
    assert fetch._read_results(headers, whole[: len(whole) // 2]) is None
    assert fetch._read_results({}, whole) is None


def test_a_failed_job_asks_for_the_window_again(company: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        jobs, "await_job", lambda *_: messages.Page(b"{}", {"state": "Failed", "errorMessage": "out of order"})
    )
    with pytest.raises(errors.RestartWindow, match="ended as Failed: out of order"):
        read(company.connection("salesforce"), "leads")
