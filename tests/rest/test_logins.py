"""One login per connection: across streams, runs, threads and processes, with the refresh token's rotation.

The store is the real one, in PostgreSQL. The vendors are the sandbox, which revokes each refresh token at its first
use, or a stub with exactly the answers of one case.
"""

import json
import logging
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from funnel import logins, settings
from funnel.contract import Connection, Window
from funnel.ingest import kept_logins
from funnel.rest import client, errors
from funnel.sources import SOURCES
from sandbox.credentials import (
    HUBSPOT_CLIENT_ID,
    HUBSPOT_CLIENT_SECRET,
    HUBSPOT_REFRESH_TOKEN,
    SALESFORCE_REFRESH_TOKEN,
)

CASE = "05 rotating refresh token"
WINDOW = Window(date(2026, 11, 9), date(2026, 11, 10))
# Two streams of each source, and its login if the company's own connection has none.
STREAMS = {
    "google_ads": ("campaigns", "campaign_stats"),
    "linkedin_ads": ("campaigns", "campaign_stats"),
    "microsoft_ads": ("campaigns", "campaign_stats"),
    "hubspot": ("owners", "pipelines"),
    "salesforce": ("users", "leads"),
    "ga4": ("sessions", "properties"),
    "shopify": ("orders", "shops"),
}
GRANTS: dict[str, dict[str, Any]] = {
    "hubspot": {
        "login": HUBSPOT_CLIENT_ID,
        "password": HUBSPOT_CLIENT_SECRET,
        "extra": {"refresh_token": HUBSPOT_REFRESH_TOKEN},
    },
    "salesforce": {"extra": {"grant_type": "refresh_token", "refresh_token": SALESFORCE_REFRESH_TOKEN}},
    "ga4": {"extra": {"grant_type": "jwt-bearer"}},
}
ROTATING = ("hubspot", "linkedin_ads", "microsoft_ads", "salesforce")


@dataclass
class Vendor:
    """The sandbox as one source's vendor, and the requests that it received."""

    company: Any
    source: str

    @property
    def connection(self) -> Connection:
        """A new connection, as each task gets it for every run: the settings never change."""
        grant = GRANTS.get(self.source, {})
        made = self.company.connection(self.source, **grant.get("extra", {}))
        made = replace(made, **{name: value for name, value in grant.items() if name != "extra"})
        return replace(made, logins=kept_logins.STORE)

    def read(self, stream: str, connection: Connection | None = None) -> int:
        source = SOURCES[self.source]
        return len(list(source.fetch(connection or self.connection, source.stream(stream), WINDOW)))

    def run(self) -> None:
        """One run: every stream with a client of its own."""
        for stream in STREAMS[self.source]:
            assert self.read(stream) > 0

    @property
    def logins(self) -> int:
        asked = self.company.handle.requests()
        return sum(one["path"].endswith(("/token", "/accessToken", "/access_token")) for one in asked)

    def rotate(self) -> None:
        self.company.handle.misbehave(self.source, "rotating_refresh_token", None)

    def expire(self) -> None:
        """The access token expires, as between two days."""
        with psycopg.connect(settings.dsn("loader"), autocommit=True) as connection:
            (began_with,) = connection.execute("select began_with from logins.kept").fetchone()  # type: ignore[misc]
        key = replace(logins.key_of(self.source, self.connection), began_with=began_with)
        login = kept_logins.read(key)
        assert login is not None
        kept_logins.write(key, replace(login, good_until=0.0))


@pytest.fixture
def vendor(warehouse: str, company: Any, request: pytest.FixtureRequest, slept: list[float]) -> Vendor:
    return Vendor(company, request.param)


each_vendor = pytest.mark.parametrize("vendor", STREAMS, indirect=True)
each_rotating = pytest.mark.parametrize("vendor", ROTATING, indirect=True)


@each_vendor
def test_streams_and_runs_share_one_login(vendor: Vendor, outcome: Callable[[str, str, str], None]) -> None:
    vendor.run()
    vendor.run()
    assert vendor.logins == 1
    vendor.expire()
    vendor.run()
    assert vendor.logins == 2
    outcome(CASE, vendor.source, "two runs of two streams: one login; one more when it has expired")


@each_rotating
def test_each_login_uses_the_refresh_token_of_the_one_before(
    vendor: Vendor, outcome: Callable[[str, str, str], None]
) -> None:
    vendor.rotate()
    for morning in range(1, 4):
        vendor.run()
        assert vendor.logins == morning
        vendor.expire()
    # Without the store there is only the connection's own token, and that was used.
    with pytest.raises(errors.DeadToken):
        vendor.read(STREAMS[vendor.source][0], replace(vendor.connection, logins=None))
    outcome(CASE, vendor.source, "R2 is kept and used: three mornings, three logins, each with the newest")


@each_rotating
def test_a_refused_access_token_is_renewed_once_by_streams_that_read_at_once(vendor: Vendor) -> None:
    """Four streams hold an access token that expires: one renews it, the others use the new one."""
    vendor.rotate()
    vendor.run()
    source = SOURCES[vendor.source]
    vendor.company.handle.control("DELETE", "requests")
    vendor.expire()
    read: list[int] = []
    stream = STREAMS[vendor.source][0]

    def work() -> None:
        read.append(len(list(source.fetch(vendor.connection, source.stream(stream), WINDOW))))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(read) == 4
    assert len(set(read)) == 1
    assert vendor.logins == 1


READ = """
import json, sys
from dataclasses import replace
from datetime import date
from funnel.contract import Connection, Window
from funnel.ingest import kept_logins
from funnel.sources import SOURCES
asked = json.loads(sys.argv[1])
source = SOURCES[asked["source"]]
connection = Connection(**asked["connection"], logins=kept_logins.STORE)
if asked["dies"] == "after storing":
    def write(key, login):
        kept_logins.write(key, login)
        import os
        os._exit(9)
    connection = replace(connection, logins=replace(kept_logins.STORE, write=write))
if asked["dies"] == "in its turn":
    from contextlib import contextmanager
    @contextmanager
    def turn(key):
        with kept_logins.turn(key):
            import os
            os._exit(9)
            yield
    connection = replace(connection, logins=replace(kept_logins.STORE, turn=turn))
window = Window(date(2026, 11, 9), date(2026, 11, 10))
print(len(list(source.fetch(connection, source.stream(asked["stream"]), window))))
"""


def started(vendor: Vendor, stream: str, dies: str = "") -> subprocess.Popen[str]:
    connection = vendor.connection
    asked = {
        "source": vendor.source,
        "stream": stream,
        "dies": dies,
        "connection": {
            name: getattr(connection, name) for name in ("connection_id", "base_url", "login", "password", "extra")
        },
    }
    plugins = Path(__file__).parents[2] / "plugins"
    return subprocess.Popen(
        [sys.executable, "-c", READ, json.dumps(asked)],
        env={**os.environ, "PYTHONPATH": str(plugins)},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("vendor", ["salesforce"], indirect=True)
def test_four_processes_at_once_log_in_once(vendor: Vendor) -> None:
    vendor.rotate()
    workers = [started(vendor, stream) for stream in STREAMS[vendor.source] * 2]
    assert [worker.communicate(timeout=120) and worker.returncode for worker in workers] == [0] * 4
    assert vendor.logins == 1


@each_rotating
def test_what_was_stored_before_a_kill_is_used_after_it(vendor: Vendor) -> None:
    vendor.rotate()
    killed = started(vendor, STREAMS[vendor.source][0], "after storing")
    killed.communicate(timeout=120)
    assert killed.returncode == 9
    assert len(vendor.company.handle.requests()) == 1, "the access token was used before it was stored"
    vendor.run()
    assert vendor.logins == 1
    vendor.expire()
    vendor.run()
    assert vendor.logins == 2


@pytest.mark.parametrize("vendor", ["salesforce"], indirect=True)
def test_a_process_that_dies_in_its_turn_holds_no_other_up(vendor: Vendor) -> None:
    killed = started(vendor, "leads", "in its turn")
    killed.communicate(timeout=120)
    assert killed.returncode == 9
    vendor.run()
    assert vendor.logins == 1


@each_vendor
def test_no_secret_leaves_the_store(
    vendor: Vendor, warehouse: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    if vendor.source in ROTATING:
        vendor.rotate()
    given: list[str] = []

    def write(key: logins.Key, login: logins.Login) -> None:
        given.extend(one for one in (login.access_token, login.refresh_token) if one)
        kept_logins.write(key, login)

    with caplog.at_level(logging.DEBUG, "funnel"):
        connection = replace(vendor.connection, logins=replace(kept_logins.STORE, write=write))
        vendor.read(STREAMS[vendor.source][0], connection)
    assert given
    seen = caplog.text + repr(connection) + repr(kept_logins.read(logins.key_of(vendor.source, connection)))
    with psycopg.connect(warehouse) as admin:
        seen += str(admin.execute("select * from logins.kept").fetchall())
    assert not [secret for secret in given if secret in seen]


def test_the_loader_alone_reads_logins(warehouse: str) -> None:
    for role in ("builder", "publisher", "bi_reader"):
        with (
            psycopg.connect(settings.dsn(role)) as connection,  # type: ignore[arg-type]
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute("select * from logins.kept")


def test_a_login_that_the_present_key_does_not_open_counts_as_none(
    warehouse: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from cryptography.fernet import Fernet

    key = logins.Key("salesforce", "salesforce", "digest", "settings")
    login = logins.Login("access", "refresh", None, None, "settings")
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    monkeypatch.setenv("AIRFLOW_FERNET_KEY", old)
    kept_logins.write(key, login)
    monkeypatch.setenv("AIRFLOW_FERNET_KEY", f"{new},{old}")
    assert kept_logins.read(key) == login
    monkeypatch.setenv("AIRFLOW_FERNET_KEY", new)
    assert kept_logins.read(key) is None
    assert "AIRFLOW_FERNET_KEY" in caplog.text
    monkeypatch.setenv("AIRFLOW_FERNET_KEY", "short")
    with pytest.raises(settings.ConfigurationError, match="not a Fernet key"):
        kept_logins.read(key)


# The case, answer by answer --------------------------------------------------------------------------------------


CASES = Path(__file__).parents[1] / "cases" / "vendors"


@pytest.fixture
def stub() -> Any:
    from tests.vendors import Stub

    made = Stub()
    yield made
    made.stop()


def salesforce_of(stub: Any, refresh_token: str = "R1-xxxxxxxx") -> Connection:
    extra = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return Connection("salesforce", stub.base_url, "client-id", "the-secret-of-it", extra, logins=kept_logins.STORE)


def test_second_stream_and_next_run_never_use_the_first_refresh_token(
    warehouse: str, stub: Any, slept: list[float], outcome: Callable[[str, str, str], None]
) -> None:
    first, refused = json.loads((CASES / "05_salesforce_rotating_refresh_token.json").read_text())["token_answers"]
    chain = {"R1-xxxxxxxx": first, "R2-xxxxxxxx": {"access_token": "A2-xxxxxxxx", "refresh_token": "R3-xxxxxxxx"}}
    good = {"A1-xxxxxxxx"}
    used: Counter[str] = Counter()

    def answer(asked: Any) -> Any:
        if asked.path.endswith("/token"):
            given = asked.form["refresh_token"]
            used[given] += 1
            if given not in chain:
                return stub.reply(refused, status=refused["status"])
            return stub.reply(chain.pop(given))
        if asked.headers["authorization"].removeprefix("Bearer ") not in good:
            return stub.reply([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}], 401)
        return stub.reply({"done": True, "totalSize": 0, "records": []})

    stub.answer = answer
    source = SOURCES["salesforce"]
    for stream in ("users", "leads"):
        assert list(source.fetch(salesforce_of(stub), source.stream(stream), WINDOW))
    assert used == {"R1-xxxxxxxx": 1}
    # The next run, after the session has ended.
    good.clear()
    good.add("A2-xxxxxxxx")
    for stream in ("users", "leads"):
        assert list(source.fetch(salesforce_of(stub), source.stream(stream), WINDOW))
    assert used == {"R1-xxxxxxxx": 1, "R2-xxxxxxxx": 1}
    outcome(CASE, "salesforce", "R1 once, R2 once: stream 2 took the kept access token, the next run R2")


def test_a_refusal_that_passes_is_tried_again_once_and_a_second_one_says_what_to_do(
    warehouse: str, stub: Any, slept: list[float]
) -> None:
    refused = stub.reply({"error": "invalid_grant", "error_description": "expired access/refresh token"}, status=400)
    given = stub.reply({"access_token": "A1-xxxxxxxx", "refresh_token": "R2-xxxxxxxx"})
    empty = stub.reply({"done": True, "totalSize": 0, "records": []})
    source = SOURCES["salesforce"]
    stub.reply_in_turn(refused, given, empty)
    assert list(source.fetch(salesforce_of(stub), source.stream("users"), WINDOW))
    assert slept == [client.REFUSAL_PAUSE]
    expired = stub.reply([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}], 401)
    stub.asked.clear()
    stub.reply_in_turn(expired, refused)
    with pytest.raises(errors.DeadToken, match="replaced the refresh token") as error:
        list(source.fetch(salesforce_of(stub), source.stream("users"), WINDOW))
    assert [asked.form["refresh_token"] for asked in stub.asked if asked.path.endswith("/token")] == ["R2-xxxxxxxx"] * 2
    assert "R2-xxxxxxxx" not in str(error.value)
    # The login that the operator saves after signing in again is used at once.
    stub.asked.clear()
    stub.reply_in_turn(given, empty)
    assert list(source.fetch(salesforce_of(stub, "R9-xxxxxxxx"), source.stream("users"), WINDOW))
    assert [asked.form["refresh_token"] for asked in stub.asked if asked.path.endswith("/token")] == ["R9-xxxxxxxx"]


def test_a_revoked_access_token_that_was_kept_is_renewed(warehouse: str, stub: Any, slept: list[float]) -> None:
    """LinkedIn answers REVOKED for a token that another sign-in replaced: the token is invalid, not the login."""
    extra = {"refresh_token": "R1-xxxxxxxx", "account_ids": ["1"], "token_url": f"{stub.base_url}/token"}
    connection = Connection("linkedin_ads", stub.base_url, "id", "secret-of-it", extra, logins=kept_logins.STORE)
    good = "A1-xxxxxxxx"

    def answer(asked: Any) -> Any:
        if asked.path == "/token":
            return stub.reply({"access_token": good, "expires_in": 5_000_000})
        if asked.headers["authorization"] != f"Bearer {good}":
            return stub.reply({"status": 401, "code": "REVOKED_ACCESS_TOKEN", "message": "revoked"}, 401)
        return stub.reply({"elements": [], "metadata": {}})

    stub.answer = answer
    source = SOURCES["linkedin_ads"]
    list(source.fetch(connection, source.stream("campaigns"), WINDOW))
    good = "A2-xxxxxxxx"
    list(source.fetch(connection, source.stream("campaigns"), WINDOW))
    assert sum(asked.path == "/token" for asked in stub.asked) == 2
    assert slept == []


def test_a_kept_token_of_microsoft_that_its_service_no_longer_knows_is_renewed(
    warehouse: str, stub: Any, slept: list[float]
) -> None:
    extra = {"refresh_token": "R1-xxxxxxxx", "account_ids": ["1"], "token_url": f"{stub.base_url}/token"}
    connection = Connection("microsoft_ads", stub.base_url, "id", "secret-of-it", extra, logins=kept_logins.STORE)
    good = "A1-xxxxxxxx"

    def fault(code: int, name: str, status: int) -> Any:
        return stub.reply({"TrackingId": "t", "Errors": [{"Code": code, "ErrorCode": name, "Message": name}]}, status)

    def answer(asked: Any) -> Any:
        if asked.path == "/token":
            return stub.reply({"access_token": good, "expires_in": 3600})
        if good not in (asked.headers.get("authorization") or asked.headers.get("authenticationtoken")):
            return fault(105, "InvalidCredentials", 401)
        return fault(4001, "KnownToken", 400)

    stub.answer = answer
    source = SOURCES["microsoft_ads"]
    for token in ("A1-xxxxxxxx", "A2-xxxxxxxx"):
        good = token
        with pytest.raises(errors.Refused, match="KnownToken"):
            list(source.fetch(connection, source.stream("campaign_stats"), WINDOW))
    assert sum(asked.path == "/token" for asked in stub.asked) == 2


def test_a_changed_client_secret_makes_a_new_login_with_the_newest_refresh_token(
    warehouse: str, stub: Any, slept: list[float]
) -> None:
    given = [f"R{number}-xxxxxxxx" for number in (2, 3)]

    def answer(asked: Any) -> Any:
        if asked.path.endswith("/token"):
            return stub.reply({"access_token": "A-xxxxxxxx", "refresh_token": given.pop(0)})
        return stub.reply({"done": True, "totalSize": 0, "records": []})

    stub.answer = answer
    source = SOURCES["salesforce"]
    list(source.fetch(salesforce_of(stub), source.stream("users"), WINDOW))
    list(source.fetch(replace(salesforce_of(stub), password="another-secret"), source.stream("users"), WINDOW))
    asked = [one.form["refresh_token"] for one in stub.asked if one.path.endswith("/token")]
    assert asked == ["R1-xxxxxxxx", "R2-xxxxxxxx"]
