"""Shared by the tests of the connectors: the sandbox's company, and a stub that fails byte by byte as a
test requires.
"""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from funnel.contract import Connection
from funnel.rest import retries
from sandbox import process
from sandbox.clock import moment
from sandbox.scenario import Scenario
from sandbox.worlds import build


@dataclass(frozen=True)
class Asked:
    """One request the stub received."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.text))


@dataclass(frozen=True)
class Reply:
    """One answer of the stub. With `cut` the connection closes after that many bytes of the promised body."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None

    @property
    def bytes(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Stub:
    """A running vendor: `answer` computes the answers, `asked` stores the requests."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer: Callable[[Asked], Reply] = lambda asked: Reply({"data": []})
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _handle(self) -> None:
                url = urlsplit(self.path)
                text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, url.path, dict(parse_qsl(url.query)), headers, text)
                stub.asked.append(asked)
                reply = stub.answer(asked)
                self.send_response(reply.status)
                for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.bytes)))
                self.end_headers()
                self.wfile.write(reply.bytes[: reply.cut])
                if reply.cut is not None:
                    self.close_connection = True

            do_GET = do_POST = _handle

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def reply(self, body: Any, status: int = 200, cut: int | None = None, **headers: str) -> Reply:
        return Reply(body, status, {name.replace("_", "-"): value for name, value in headers.items()}, cut)

    def reply_in_turn(self, *replies: Reply) -> None:
        """Each request gets the next reply; the last one is repeated."""
        waiting = list(replies)
        self.answer = lambda asked: waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def connection(self, **extra: Any) -> Connection:
        """A connection to this stub; the same secrets for every vendor, so that tests can search for them."""
        return Connection(
            "stub",
            self.base_url,
            login="client-id",
            password=PASSWORD,
            extra={
                "refresh_token": REFRESH_TOKEN,
                "app_secret": APP_SECRET,
                "token_url": f"{self.base_url}/token",
                "customer_ids": ["1"],
                "account_ids": ["1"],
                **extra,
            },
        )


PASSWORD = "the-password/of+the=vendor"
REFRESH_TOKEN = "the-refresh-token-of-the-vendor"
APP_SECRET = "the-app-secret-of-the-vendor"


@pytest.fixture
def vendor() -> Iterator[Stub]:
    """A running stub."""
    stub = Stub()
    yield stub
    stub.stop()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The requested waits, in order; none of them takes any time."""
    waits: list[float] = []
    monkeypatch.setattr(retries, "sleep", waits.append)
    return waits


NOW = "2026-11-23T03:00:00Z"


@dataclass
class Company:
    """The sandbox's company as served at one moment, and its scenario."""

    handle: process.Handle

    @cached_property
    def scenario(self) -> Scenario:
        scenario = build(self.handle.scenario, self.handle.seed, self.handle.anchor)
        scenario.grow(self.now)
        return scenario

    @cached_property
    def _connections(self) -> dict[str, dict[str, Any]]:
        return self.handle.connections()

    @property
    def now(self) -> int:
        return moment(NOW)

    def connection(self, source: str, **extra: Any) -> Connection:
        stored = self._connections[source]
        made = Connection(source, stored["host"], stored.get("login"), stored.get("password"), stored["extra"])
        return replace(made, extra={**made.extra, **extra})


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[Company]:
    """One server for all tests of the connectors."""
    with process.running(scenario="company", tls=True, now=NOW) as handle:
        yield Company(handle)


@pytest.fixture
def company(sandbox_server: Company) -> Iterator[Company]:
    """The company on the morning of NOW, without faults until a test sets one."""
    sandbox_server.handle.reset()
    sandbox_server.handle.set_now(NOW)
    yield sandbox_server
    sandbox_server.handle.reset()
