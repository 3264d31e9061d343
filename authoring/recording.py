"""`make record`: stores requests to a vendor and its responses as scrubbed fixtures, which the connector can replay.

One file per stream in `tests/fixtures/<source>/`: each request with its response, in order. Of a long list of pages the
first two and the last are kept, if the connector still reads them as a whole; otherwise all of them. Headers are kept
only if they are part of the protocol. `authoring.scrubbing` replaces personal and secret values.
"""

import base64
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx

from authoring.scrubbing import VENDOR, Scrubber
from funnel import logins
from funnel.contract import Connection, Source, Stream, Window
from funnel.ingest import privacy
from funnel.logins import Key, Login, LoginStore
from funnel.rest import network, retries
from funnel.rest.accounts import bodies

log = logging.getLogger(__name__)

PAGES_KEPT = 3  # per list: the first two and the last
_HEADERS = re.compile(
    r"^(content-type|link|location|retry-after|sforce-.*|x-http-method-override|x-restli-.*|linkedin-version"
    r"|x-.*(rate|usage|limit).*)$"
)
_SECRET_SETTING = re.compile(r"(secret|token|password|key|key_file|username|login_customer_id)$", re.IGNORECASE)


# A replay makes the logins of its fixture: their tokens are stand-ins that must not reach the store.
NOTHING_KEPT = LoginStore(read=lambda key: None, write=lambda key, login: None, turn=lambda key: nullcontext())


class RecordingError(Exception):
    """Nothing was recorded, or the recording cannot be replayed. The message says what to do."""


@dataclass(frozen=True)
class Exchange:
    """One request as sent and its response as received."""

    request: httpx.Request
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def kind(self) -> tuple[str, str]:
        """The identity of a list: method and path, without Salesforce's position in the list."""
        return self.request.method, re.sub(r"-\d+$", "", self.request.url.path)


def record(source: Source, connection: Connection, window: Window, folder: Path) -> list[Path]:
    """Request every stream of a window from the vendor and write the fixtures; returns their paths.

    Vendor errors pass through. Raises RecordingError if a fixture cannot be replayed; then none is written.
    """
    key = privacy.person_key_secret()
    secrets = [connection.password or "", connection.login or ""]
    secrets += [str(value) for name, value in connection.extra.items() if _SECRET_SETTING.search(name)]
    scrubber = Scrubber(source, secrets, key)
    scrubber.host(connection.base_url)
    logging_in = replace(connection, logins=_anew(connection.logins or logins.in_memory()))
    heard = {stream.name: _listen(source, logging_in, stream, window) for stream in source.streams}
    fixtures = {}
    for stream in source.streams:
        exchanges = heard[stream.name]
        for kept in (_shorten(exchanges), exchanges):
            fixture = _fixture(source, connection, stream, window, kept, scrubber)
            fixture["left_out"] = len(exchanges) - len(kept)
            try:
                rows = _rows(source, stream, replay(source, fixture, connection))
            except Exception as error:
                if kept is not exchanges:
                    continue
                raise RecordingError(
                    f"What {source.name}.{stream.name} answered does not replay after scrubbing: {error} Nothing was "
                    "written. See which field the connector needs, and let authoring.scrubbing keep it."
                ) from error
            log.info("%s: %d requests kept of %d, %d rows", stream.name, len(kept), len(exchanges), rows)
            break
        fixtures[folder / source.name / f"{stream.name}.json"] = fixture
    # Only now are all values known that must not appear anywhere.
    for path, fixture in fixtures.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(fixture, indent=2)
        path.write_text(scrubber.sweep(text) + "\n")
    return list(fixtures)


def read(path: Path) -> dict[str, Any]:
    """A fixture of `tests/fixtures`."""
    fixture: dict[str, Any] = json.loads(path.read_bytes())
    return fixture


def window_of(fixture: dict[str, Any]) -> Window:
    """The window of a fixture."""
    from datetime import date

    first, end = (date.fromisoformat(day) for day in fixture["window"])
    return Window(first, end, fixture["until_now"])


def replay(source: Source, fixture: dict[str, Any], connection: Connection) -> Iterator[bytes]:
    """The bodies that the connector makes of a fixture: each request gets the next response, whatever it asks for.

    `connection` supplies the secrets that a connector needs to sign; no network is used.
    """
    settings = {
        name: value for name, value in connection.extra.items() if name not in fixture["settings"] and name != "ca_file"
    }
    stand_in = replace(connection, base_url=VENDOR, extra={**settings, **fixture["settings"]}, logins=NOTHING_KEPT)
    answers = [_answer(exchange["response"]) for exchange in fixture["exchanges"]]
    with _replaying(answers):
        yield from bodies(source.fetch(stand_in, source.stream(fixture["stream"]), window_of(fixture)))


def _anew(store: LoginStore) -> LoginStore:
    """The store's logins with access tokens that count as expired: each fixture begins with a login, made with the
    newest refresh token and kept with the one that follows.
    """

    def read(key: Key) -> Login | None:
        kept = store.read(key)
        return kept and replace(kept, good_until=0.0)

    return replace(store, read=read)


def _listen(source: Source, connection: Connection, stream: Stream, window: Window) -> list[Exchange]:
    exchanges: list[Exchange] = []

    def hear(response: httpx.Response) -> None:
        body = response.read()
        headers = tuple((name, text) for name, text in response.headers.items() if _HEADERS.match(name))
        exchanges.append(Exchange(response.request, response.status_code, headers, body))

    def tap(http: httpx.Client) -> None:
        http.event_hooks = {"response": [hear]}

    before, network.tap = network.tap, tap
    try:
        for _ in source.fetch(connection, stream, window):
            pass
    finally:
        network.tap = before
    return exchanges


def _shorten(exchanges: list[Exchange]) -> list[Exchange]:
    """The first two and the last page of each list."""
    kept: list[Exchange] = []
    for _, run in groupby(exchanges, key=lambda exchange: exchange.kind):
        pages = list(run)
        kept += pages if len(pages) <= PAGES_KEPT else [*pages[: PAGES_KEPT - 1], pages[-1]]
    return kept


def _fixture(
    source: Source,
    connection: Connection,
    stream: Stream,
    window: Window,
    exchanges: list[Exchange],
    scrubber: Scrubber,
) -> dict[str, Any]:
    for exchange in exchanges:
        scrubber.host(f"{exchange.request.url.scheme}://{exchange.request.url.netloc.decode()}")
    fixture = {
        "source": source.name,
        "stream": stream.name,
        "window": [window.from_day.isoformat(), window.to_day.isoformat()],
        "until_now": window.until_now,
        "settings": {
            name: scrubber.value("", value, is_ours=True)
            for name, value in connection.extra.items()
            if not _SECRET_SETTING.search(name) and name != "ca_file"
        },
        "exchanges": [
            {"request": _question(exchange.request, scrubber), "response": _reply(exchange, scrubber)}
            for exchange in exchanges
        ],
    }
    swept: dict[str, Any] = json.loads(scrubber.sweep(json.dumps(fixture)))
    return swept


def _question(request: httpx.Request, scrubber: Scrubber) -> dict[str, Any]:
    question: dict[str, Any] = {"method": request.method, "path": request.url.path}
    if request.url.params:
        question["query"] = {
            name: scrubber.value(name, text, is_ours=True) for name, text in request.url.params.items()
        }
    question["headers"] = {name: text for name, text in request.headers.items() if _HEADERS.match(name)}
    return question | (scrubber.body(request.content, is_ours=True) if request.content else {})


def _reply(exchange: Exchange, scrubber: Scrubber) -> dict[str, Any]:
    headers = {name: scrubber.loose(text) for name, text in exchange.headers}
    return {"status": exchange.status, "headers": headers} | scrubber.body(exchange.body)


def _answer(stored: dict[str, Any]) -> httpx.Response:
    if "json" in stored:
        body = json.dumps(stored["json"]).encode()
    elif "base64" in stored:
        body = base64.b64decode(stored["base64"])
    else:
        body = stored["text"].encode()
    return httpx.Response(stored["status"], headers=stored["headers"], content=body)


@contextmanager
def _replaying(answers: list[httpx.Response]) -> Iterator[None]:
    waiting = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        if not waiting:
            raise RecordingError(f"The connector asks {request.method} {request.url.path}, which was not recorded.")
        return waiting.pop(0)

    before = network.transport, retries.sleep
    network.transport, retries.sleep = httpx.MockTransport(answer), lambda seconds: None
    try:
        yield
    finally:
        network.transport, retries.sleep = before


def _rows(source: Source, stream: Stream, bodies: Iterator[bytes]) -> int:
    return sum(1 for body in bodies for _ in source.records(stream, body))
