"""The login of a connection: one for all streams and runs, stored together with the rotated refresh token.

A vendor may answer a login with a new refresh token and revoke the used one (Salesforce, Microsoft, LinkedIn and
HubSpot can). So the answer of a login is stored before its access token is used, logins of one connection take turns,
and a process that waited uses the stored login (ING-22). The connector sends the requests, the `LoginStore` stores the
logins; no token is written into a message or a log here.
"""

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger(__name__)

# A page must not be requested with a token that is about to expire.
EARLY_SECONDS = 60.0
SHORTEST_SECONDS = 30.0
# Settings that a login depends on, besides names that end in `secret`, `token`, `password` or `key`.
SETTINGS = ("token_url", "grant_type", "username", "audience", "key_file", "private_key_file", "private_key_id")
SECRET_ENDINGS = ("secret", "token", "password", "key")


@dataclass(frozen=True)
class Token:
    """A vendor's answer to a login: an access token, its lifetime in seconds (None: unknown) and the base URL it is
    valid for.

    `refresh_token` is the one for the next login, if the vendor names one. A token that was not requested, because it
    is in the connection or is signed locally, is not `is_fetched` and need not be stored.
    """

    value: str = field(repr=False)
    expires_in: float | None = None
    base_url: str | None = None
    refresh_token: str | None = field(default=None, repr=False)
    is_fetched: bool = True


@dataclass(frozen=True)
class Key:
    """The key of a stored login: the refresh token that it began with, or its connection if it needs none.

    A new refresh token in the connection is another key, so its login starts again; connections that share a refresh
    token share its rotation. `settings` is a digest of everything else that a login depends on.
    """

    source: str
    connection_id: str
    began_with: str
    settings: str


@dataclass(frozen=True)
class Login:
    """A stored login. `good_until` is in seconds since 1970, None if the vendor does not say."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    base_url: str | None
    good_until: float | None
    settings: str

    def is_good(self, key: Key, refused: set[str]) -> bool:
        """True if the access token was made with the present settings, has not expired and was not refused."""
        if self.settings != key.settings or self.access_token in refused:
            return False
        return self.good_until is None or time.time() < self.good_until


@dataclass(frozen=True)
class LoginStore:
    """Stores logins.

    read   the login under a key, None if there is none
    write  store a login; when it returns, the login survives a crash
    turn   a block in which no other process logs in under this key
    """

    read: Callable[[Key], Login | None]
    write: Callable[[Key, Login], None]
    turn: Callable[[Key], AbstractContextManager[None]]


def key_of(source: str, connection: Any) -> Key:
    """The key of a connection's login. Its digests may be written down: no secret can be computed from them."""
    refresh_token = connection.extra.get("refresh_token")
    settings = {
        name: value for name, value in connection.extra.items() if name in SETTINGS or name.endswith(SECRET_ENDINGS)
    }
    began_with = ["token", refresh_token] if refresh_token else ["connection", connection.connection_id]
    return Key(
        source,
        connection.connection_id,
        _digest(source, *began_with),
        _digest(connection.base_url, connection.login, connection.password, settings),
    )


def current(
    store: LoginStore,
    key: Key,
    first_refresh_token: str | None,
    refused: set[str],
    log_in: Callable[[Callable[[], str | None]], Token],
) -> Login:
    """The login to use now: the stored one while it is valid, else a new one, which is stored before it is returned.

    `refused` are access tokens that the vendor did not accept. `log_in` requests a login from the vendor; its argument
    reads the newest refresh token.
    """
    kept = store.read(key)
    if kept and kept.is_good(key, refused):
        return kept
    with store.turn(key):
        kept = store.read(key)
        if kept and kept.is_good(key, refused):
            return kept

        def newest() -> str | None:
            stored = store.read(key)
            return (stored and stored.refresh_token) or first_refresh_token

        token = log_in(newest)
        login = Login(
            token.value,
            token.refresh_token or newest(),
            token.base_url,
            _good_until(token.expires_in),
            key.settings,
        )
        if token.is_fetched:
            store.write(key, login)
        return login


def in_memory() -> LoginStore:
    """Stores logins in this process, until it ends; its threads take turns. The log names a refresh token that is lost
    with it.
    """
    logins: dict[str, Login] = {}
    locks: dict[str, threading.Lock] = {}
    guard = threading.Lock()

    @contextmanager
    def turn(key: Key) -> Iterator[None]:
        with guard:
            lock = locks.setdefault(key.began_with, threading.Lock())
        with lock:
            yield

    def write(key: Key, login: Login) -> None:
        logins[key.began_with] = login
        if login.refresh_token and key.began_with != _digest(key.source, "token", login.refresh_token):
            log.warning(
                "%s replaced the refresh token of connection %s. The new one is lost with this process, because no "
                "warehouse keeps it. If the vendor refuses the old one now, sign in there again and save the new "
                "refresh token in the connection.",
                key.source,
                key.connection_id,
            )

    return LoginStore(read=lambda key: logins.get(key.began_with), write=write, turn=turn)


def _good_until(expires_in: float | None) -> float | None:
    if expires_in is None:
        return None
    return time.time() + max(float(expires_in) - EARLY_SECONDS, SHORTEST_SECONDS)


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
