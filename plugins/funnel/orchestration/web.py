"""Guards Airflow's web server: slows guessing of passwords, and sends security headers with every response.

Airflow does neither. The counts of failed logins are in memory, since there is one web server.
"""

import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

LOGINS = ("/auth/token", "/auth/token/cli", "/auth/login", "/auth/login/")
REFUSED = (400, 401, 403, 422)
# Attempts without a pause: of one user from one address, and of all users from one address.
FREE, FREE_OF_ADDRESS = 5, 30
LONGEST_PAUSE = 300.0
LARGEST_BODY = 16_384
MOST_KEPT = 10_000

HEADERS = {
    "content-security-policy": (
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "strict-origin-when-cross-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cross-origin-opener-policy": "same-origin",
}


class Attempts:
    """Failed logins by key; each failure beyond the free ones doubles the pause before the next attempt."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Key to (failures, moment of the next attempt).
        self._failed: dict[tuple[str, ...], tuple[int, float]] = {}

    def pause(self, keys: dict[tuple[str, ...], int]) -> float:
        """Seconds until an attempt with these keys is allowed; 0 if it is now."""
        return max(0.0, *(self._failed.get(key, (0, 0.0))[1] - self._clock() for key in keys))

    def fail(self, keys: dict[tuple[str, ...], int]) -> None:
        """Count a failed attempt; the value of a key is its number of free attempts."""
        for key, free in keys.items():
            failures = self._failed.pop(key, (0, 0.0))[0] + 1
            pause = min(2.0 ** min(failures - free, 16), LONGEST_PAUSE) if failures >= free else 0.0
            self._failed[key] = (failures, self._clock() + pause)
        while len(self._failed) > MOST_KEPT:
            del self._failed[next(iter(self._failed))]

    def succeed(self, key: tuple[str, ...]) -> None:
        """Forget the failures of a user who has logged in."""
        self._failed.pop(key, None)


class Guard:
    """ASGI middleware around Airflow's web server."""

    def __init__(self, app: Application) -> None:
        self.app = app
        self.attempts = Attempts()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI defines it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["method"] == "POST" and scope["path"].endswith(LOGINS):
            await self._log_in(scope, receive, with_headers(send, scope))
        else:
            await self.app(scope, receive, with_headers(send, scope))

    async def _log_in(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        body, replay = await read_body(receive)
        address = (scope.get("client") or ("unknown",))[0]
        user = (address, user_of(body))
        keys = {user: FREE, (address,): FREE_OF_ADDRESS}
        pause = self.attempts.pause(keys)
        if pause > 0:
            await refuse(send, int(pause) + 1)
            return
        statuses: list[int] = []

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            await send(message)

        await self.app(scope, replay, watched)
        if statuses and statuses[0] in REFUSED:
            self.attempts.fail(keys)
        elif statuses and statuses[0] < 400:
            self.attempts.succeed(user)


def with_headers(send: Send, scope: MutableMapping[str, Any]) -> Send:
    """A `send` that adds the headers which the response does not set itself, and over HTTPS that it stays so."""
    more = dict(HEADERS)
    if scope.get("scheme") == "https":
        more["strict-transport-security"] = "max-age=31536000"

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message.get("headers", ())}
            added = [(name.encode(), value.encode()) for name, value in more.items() if name.encode() not in present]
            message = {**message, "headers": [*message.get("headers", ()), *added]}
        await send(message)

    return sending


async def read_body(receive: Receive) -> tuple[bytes, Receive]:
    """The beginning of a request's body, and a `receive` that repeats what was read and goes on."""
    read: list[Message] = []
    body = b""
    while len(body) < LARGEST_BODY:
        message = await receive()
        read.append(message)
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body"):
            break

    async def replay() -> Message:
        return read.pop(0) if read else await receive()

    return body, replay


def user_of(body: bytes) -> str:
    """The user name of a login, sent as JSON or as a form; empty if there is none."""
    try:
        sent = json.loads(body)
        name = sent.get("username") if isinstance(sent, dict) else None
    except ValueError:
        name = parse_qs(body.decode(errors="replace")).get("username", [""])[0]
    return str(name or "")[:100].lower()


async def refuse(send: Send, seconds: int) -> None:
    """Answer 429 with the seconds to wait."""
    text = f"Too many failed logins. Try again in {seconds} seconds."
    headers = [(b"content-type", b"application/json"), (b"retry-after", str(seconds).encode())]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"detail": text}).encode()})
