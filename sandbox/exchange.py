"""One HTTP exchange for the vendors' modules, and the world that they answer from.

Vendor modules are plain functions from a call to an answer; the server does the HTTP.
"""

from __future__ import annotations

import base64
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

import orjson

from sandbox.clock import DAY, iso
from sandbox.scenario import Scenario


def to_json(payload: Any) -> bytes:
    """JSON of any value; half a surrogate pair is escaped, as JavaScript does."""
    try:
        return orjson.dumps(payload)
    except TypeError:
        return json.dumps(payload).encode()


@dataclass(slots=True)
class Answer:
    """Status, JSON payload and headers. `text` replaces the payload if a vendor does not answer JSON; `encode` makes
    another format of it.
    """

    payload: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    text: str | bytes | None = None
    content_type: str = "application/json; charset=UTF-8"
    encode: Callable[[Any], bytes] = to_json

    def body(self) -> bytes:
        if self.text is None:
            return self.encode(self.payload)
        return self.text.encode() if isinstance(self.text, str) else self.text


class Refusal(Exception):
    """The vendor refuses; contains the answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer.payload))
        self.answer = answer


@dataclass(frozen=True)
class Call:
    """One request. Paths are percent-decoded; header names are lower case."""

    method: str
    path: str
    query_string: str
    headers: dict[str, str]
    body: bytes
    base_url: str
    now: int

    @cached_property
    def query(self) -> dict[str, str]:
        return dict(self.query_pairs)

    @cached_property
    def query_pairs(self) -> list[tuple[str, str]]:
        return parse_qsl(self.query_string, keep_blank_values=True)

    def query_list(self, name: str) -> list[str]:
        """Values given as ?a=1&a=2 or ?a=1,2."""
        return [
            part
            for key, value in self.query_pairs
            if key in (name, f"{name}[]")
            for part in value.split(",")
            if part != ""
        ]

    @cached_property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @cached_property
    def json(self) -> Any:
        """The JSON body; an unreadable one raises orjson.JSONDecodeError (a ValueError)."""
        return orjson.loads(self.body)

    @property
    def bearer(self) -> str | None:
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if kind.lower() in ("bearer", "oauth") and token.strip() else None

    @property
    def basic(self) -> tuple[str, str] | None:
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        if kind.lower() != "basic":
            return None
        try:
            user, _, password = base64.b64decode(token).decode().partition(":")
        except ValueError:
            return None
        return user, password


@dataclass(slots=True)
class Settings:
    """Settings that tests may change at run time through POST /_control/settings."""

    google_page_size: int = 10_000
    meta_default_limit: int = 25
    meta_max_limit: int = 5_000
    linkedin_max_elements: int = 15_000
    hubspot_search_cap: int = 10_000
    hubspot_search_lag_seconds: int = 0
    hubspot_association_page_size: int = 500
    hubspot_home_currency: str = "USD"
    hubspot_reads_currencies: bool = True
    salesforce_page_size: int = 2_000
    salesforce_bulk_page_size: int = 50_000
    accept_sunset_versions: bool = False
    rate_limits: bool = False
    token_seconds: int = 3_600
    report_polls: int = 1
    meta_requires_proof: bool = False


@dataclass(slots=True)
class Token:
    vendor: str
    issued: float
    lifetime: float
    revoked: bool = False

    @property
    def is_alive(self) -> bool:
        return not self.revoked and time.monotonic() - self.issued < self.lifetime


@dataclass
class World:
    """The scenario, the settings and the server's state between requests.

    By default the company's clock is the real one, by whole days: what happens today is served after midnight UTC. A
    reader during a day therefore sees the complete day before, all sources at one moment, and can compare it with the
    truth to the cent. With `ticks` the clock runs by the second, and the day is served as it happens.
    """

    scenario: Scenario
    settings: Settings = field(default_factory=Settings)
    fixed_now: int | None = None
    ticks: bool = False
    tokens: dict[str, Token] = field(default_factory=dict)
    refresh_tokens: dict[str, str] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)
    cursors: dict[str, Any] = field(default_factory=dict)
    counters: dict[str, itertools.count[int]] = field(default_factory=dict)
    windows: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)

    def now(self) -> int:
        now = self.fixed_now
        if now is None:
            now = int(time.time() * 1000)
            now -= 0 if self.ticks else now % DAY
        self.scenario.grow(now)
        return now

    def number(self, name: str) -> int:
        """1, 2, 3 … per name: ids of requests, tokens and cursors without randomness."""
        return next(self.counters.setdefault(name, itertools.count(1)))

    def issue_token(self, vendor: str, prefix: str) -> str:
        token = f"{prefix}{self.number('token'):06d}"
        self.tokens[token] = Token(vendor, time.monotonic(), self.settings.token_seconds)
        return token

    def keep_token(self, vendor: str, token: str) -> None:
        """Accept a token that the vendor did not issue: its bearer signed it."""
        self.tokens[token] = Token(vendor, time.monotonic(), self.settings.token_seconds)

    def knows_token(self, vendor: str, token: str | None) -> bool:
        known = self.tokens.get(token or "")
        return known is not None and known.vendor == vendor and known.is_alive

    def exceeds(self, name: str, allowed: int, seconds: float) -> bool:
        """True if one more event would exceed a rolling limit; otherwise counts the event."""
        moment = time.monotonic()
        recent = [at for at in self.windows.get(name, ()) if moment - at < seconds]
        if len(recent) >= allowed:
            self.windows[name] = recent
            return True
        self.windows[name] = [*recent, moment]
        return False

    def memo(self, key: str, make: Callable[[], Any]) -> Any:
        """A cache of the last few results, which several pages of one reading share."""
        if key not in self.memory:
            while len(self.memory) >= 32:
                del self.memory[next(iter(self.memory))]
            self.memory[key] = make()
        return self.memory[key]

    def forget(self) -> None:
        """Return to the state of a freshly started server; the scenario stays."""
        self.settings = Settings(rate_limits=self.settings.rate_limits)
        self.tokens.clear()
        self.refresh_tokens.clear()
        self.revoked.clear()
        self.cursors.clear()
        self.windows.clear()
        self.memory.clear()

    def describe_now(self) -> str:
        return iso(self.now())


Handler = Callable[[World, Call, dict[str, str]], Answer]


def encode_cursor(offset: int, spelling: int = 0) -> str:
    """An opaque page cursor. One offset has several cursors, so that an empty page can point to the same place."""
    return base64.urlsafe_b64encode(f"{offset}:{spelling}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[int, int]:
    """(offset, spelling) of a cursor. Raises ValueError for another text."""
    padded = cursor + "=" * (-len(cursor) % 4)
    offset, _, spelling = base64.urlsafe_b64decode(padded.encode()).decode().partition(":")
    return int(offset), int(spelling or 0)
