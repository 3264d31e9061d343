"""Several accounts in one connection: their names, and the meaning of a refusal."""

from pathlib import Path
from typing import Any

import pytest

from funnel.contract import AccountRead, Connection, Source
from funnel.ingest import landing
from funnel.rest import errors
from funnel.rest.accounts import read_each
from funnel.sources import SOURCES
from tests.rest.test_rest import WINDOW

SETTINGS = {
    "google_ads": ("customer_ids", "123-456-7890", "1234567890"),
    "meta_ads": ("account_ids", "act_12", "12"),
    "linkedin_ads": ("account_ids", "urn:li:sponsoredAccount:12", "12"),
    "microsoft_ads": ("account_ids", " 12 ", "12"),
    "ga4": ("property_ids", "properties/12", "12"),
}


def denied(account: str) -> errors.AccountDenied:
    return errors.AccountDenied(f"no access to {account}", source="x", connection_id="x", path="/x")


def land(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fetch: Any) -> landing.LandedRead:
    monkeypatch.setenv("FUNNEL_HOME", str(tmp_path))
    stream = SOURCES["google_ads"].stream("campaign_stats")
    source = Source("google_ads", (stream,), 1, fetch, lambda stream, body: iter(()))
    return landing.land(source, Connection("google_ads", "http://x.invalid"), stream, WINDOW, "run")


def test_what_came_of_an_account_before_it_refused_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(account: str) -> Any:
        yield f"{account} first".encode()
        if account == "2":
            raise denied(account)
        yield f"{account} second".encode()

    landed = land(tmp_path, monkeypatch, lambda *asked: read_each(["1", "2", "3"], read))
    assert [body.decode() for body in landed.bodies()] == ["1 first", "1 second", "3 first", "3 second"]
    assert landed.accounts == ("1", "3")
    ((account, reason),) = landed.refused
    assert account == "2"
    assert "no access to 2" in reason
    assert "its days stay" in reason
    assert landing.read_manifest(landed.path) == landed
    assert sum(1 for _ in tmp_path.rglob("*.zst")) == 4


def test_when_every_account_refuses_the_connection_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(account: str) -> Any:
        yield b"half"
        raise denied(account)

    with pytest.raises(errors.AccountDenied, match="no access to 1"):
        land(tmp_path, monkeypatch, lambda *asked: read_each(["1", "2"], read))
    assert list(tmp_path.rglob("*.zst")) == []


def test_an_error_of_the_connection_is_not_an_error_of_an_account() -> None:
    def read(account: str) -> Any:
        yield b"body"
        if account == "2":
            raise errors.DeadToken("the token is dead")

    fetched = read_each(["1", "2", "3"], read)
    assert [next(fetched), next(fetched), next(fetched)] == [b"body", AccountRead("1"), b"body"]
    with pytest.raises(errors.DeadToken):
        next(fetched)


@pytest.mark.parametrize("source", SETTINGS)
def test_an_account_is_named_as_its_rows_name_it_and_asked_once(
    vendor: Any, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting, written, named = SETTINGS[source]
    asked: list[list[str]] = []
    monkeypatch.setitem(
        SOURCES[source].fetch.__globals__, "read_each", lambda accounts, read: asked.append(accounts) or iter(())
    )
    for accounts in ([written, named, ""], f"{written},{named}"):
        connection = vendor.connection(**{setting: accounts})
        list(SOURCES[source].fetch(connection, SOURCES[source].streams[0], WINDOW))
    assert asked == [[named], [named]]


def test_a_stream_of_accounts_names_its_column() -> None:
    for source in SOURCES.values():
        for stream in source.streams:
            if source.name in SETTINGS:
                assert stream.account in {column.name for column in stream.columns}, stream.name
            else:
                assert stream.account is None, stream.name
