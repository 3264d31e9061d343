"""Tokens of a login, and the secrets that must not appear in messages."""

import re
from collections.abc import Mapping
from typing import Any, TypeGuard
from urllib.parse import quote

from funnel import logins
from funnel.contract import Connection
from funnel.rest.errors import DeadToken, Refused
from funnel.rest.messages import Answer, Diagnosis

Token = logins.Token
_SECRET_SETTING = re.compile(r"(secret|token|password|key)$", re.IGNORECASE)


def token_of(answer: Mapping[str, Any], base_url: str | None = None) -> Token:
    """The token in a token endpoint's answer, with the refresh token for the next login if it names one."""
    try:
        expires_in = float(answer["expires_in"])
    except (KeyError, TypeError, ValueError):
        expires_in = None
    refresh_token = answer.get("refresh_token")
    return Token(
        answer["access_token"],
        expires_in,
        base_url,
        refresh_token if isinstance(refresh_token, str) and refresh_token else None,
    )


def oauth_refusal(
    answer: Answer, error: str, description: str, dead: tuple[str, ...] = ("invalid_grant",)
) -> Diagnosis | None:
    """The diagnosis of a token endpoint's error (RFC 6749, 5.2); `dead` are the errors that only a new
    grant resolves.
    """
    if answer.status >= 500 or answer.status == 429:
        return None
    message = f"{error} {description}".strip()
    if error in ("invalid_client", "unauthorized_client"):
        return Diagnosis(DeadToken, message, advice="Check login (client id) and password (client secret).")
    return Diagnosis(DeadToken if error in dead else Refused, message)


def secrets(connection: Connection) -> tuple[str, ...]:
    """All secrets of a connection in all spellings, longest first."""
    values = [connection.password] + [
        value for name, value in connection.extra.items() if isinstance(value, str) and _SECRET_SETTING.search(name)
    ]
    spelled = {spelling for value in values if is_hidden(value) for spelling in spellings(value)}
    return tuple(sorted(spelled, key=len, reverse=True))


def is_hidden(secret: str | None) -> TypeGuard[str]:
    """True if a value is long enough to be removed from messages: short values would blank out ordinary words."""
    # Short values would blank out ordinary words; no vendor's secret is that short.
    return secret is not None and len(secret) >= 8


def spellings(secret: str) -> tuple[str, ...]:
    """A secret in its forms: as text, in a URL, and in JSON with escaped slashes."""
    return tuple(dict.fromkeys((secret, quote(secret, safe=""), secret.replace("/", "\\/"))))
