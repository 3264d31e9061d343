"""Failures of vendors. The class of a failure determines the reaction.

    Throttled        waited for in the client, as long as the vendor says, if that is minutes
    Unavailable      5xx, HTML, a truncated body, 200 with an error inside: asked again, with growing pauses
    TokenExpired     asked again in the client with a token that is new, renewed once; then it becomes DeadToken
    TimedOut         asked again in the client twice; then the window is halved, as for TooMuchData
    TooMuchData      the window is halved, down to one day, then the page size
    LongUrl          asked again in the client with the query in a form
    RestartWindow    the pages read of this window are unusable; the caller discards them and fetches the window again
    QuotaExhausted   hours, not minutes: the task frees its slot and is retried after `wait_seconds`
    DeadToken        a person must create a new token: fail at once
    Refused          permission, unknown field, sunset version, bad setting: fail at once
    AccountDenied    one account refuses: the others of its connection are read, the run fails and names it
    UnknownField     a field that the vendor does not know: asked again without it if the connector can, else refused
    UnknownForm      an answer of an unknown format, found while it was read

Throttled, Unavailable, TokenExpired, TimedOut and LongUrl reach a connector only if the vendor does not recover.
"""

from datetime import UTC, datetime, timedelta

from funnel.contract import Connection


class VendorError(Exception):
    """A vendor did not return what was requested. `advice` says what to do next; no part of it contains a secret."""

    advice = "See the vendor's message."

    def __init__(
        self,
        message: str,
        *,
        source: str = "",
        connection_id: str = "",
        origin: str = "",
        path: str = "",
        status: int | None = None,
        wait_seconds: float | None = None,
        advice: str | None = None,
    ) -> None:
        self.message = message
        self.source = source
        self.connection_id = connection_id
        self.origin = origin
        self.path = path
        self.status = status
        self.wait_seconds = wait_seconds
        if advice:
            self.advice = advice
        super().__init__(message)

    @property
    def retry_at(self) -> datetime | None:
        """The time to ask again, counted from now; None without `wait_seconds`."""
        if self.wait_seconds is None:
            return None
        return datetime.now(UTC) + timedelta(seconds=self.wait_seconds)

    def __str__(self) -> str:
        answered = f" answered {self.status}" if self.status else ""
        wait = f" Ask again in {self.wait_seconds:.0f} s." if self.wait_seconds else ""
        connection = f"{self.connection_id} {self.origin}".strip()
        return (
            f"{type(self).__name__}: {self.source} (connection {connection}){answered} at {self.path}: "
            f"{self.message}{wait} What to do: {self.advice}"
        )


class Throttled(VendorError):
    """The vendor limits the rate of requests."""

    advice = "Nothing: the client waits and tries again."


class Unavailable(VendorError):
    """The vendor is temporarily unavailable or its answer is incomplete."""

    advice = "Nothing if it passes; if it does not, check the vendor's status page and the base URL."


class TimedOut(Unavailable):
    """No answer within the timeout. A request that is too heavy times out again: the caller then asks for less."""

    advice = (
        "Nothing if it passes; else ask for fewer days at once, or raise timeout_seconds in the connection's extra."
    )


class TokenExpired(VendorError):
    """The access token is no longer accepted."""

    advice = "Nothing: the token is renewed."


class TooMuchData(VendorError):
    """The vendor refuses or cuts an answer because it is too large."""

    advice = "Ask for fewer days at once, or lower page_size in the connection's extra."


class LongUrl(VendorError):
    """The URL is longer than the vendor's server accepts."""

    advice = "Nothing: the request is repeated with the query in its body."


class RestartWindow(VendorError):
    """The vendor lost its cursor: the window must be read again from its start."""

    advice = "Discard what was read of this window and read it again from the start."


class QuotaExhausted(VendorError):
    """A quota is used up for hours; `wait_seconds` says how long."""

    advice = (
        "Run again after the wait; every call until then uses up quota. Ask the vendor for a higher limit if it recurs."
    )


class DeadToken(VendorError):
    """The login is not accepted any more: a person must sign in again."""

    advice = "Make a new token at the vendor and save it in the Airflow connection; docs/connections.md says how."


class Refused(VendorError):
    """The vendor refuses the request for good."""

    advice = "Correct the connection or the vendor's permissions; docs/connections.md lists what is needed."


class AccountDenied(Refused):
    """The vendor refuses one account; others of the same connection may answer."""

    advice = (
        "Give the login access to this account again, or take the account out of the connection: its days stay as they "
        "were read."
    )


class UnknownField(Refused):
    """The vendor does not know a field, which is named; a connector may ask again without it."""


class UnknownForm(VendorError):
    """An answer has a format that the connector does not know."""

    advice = "Run again; if the vendor answers the same again, it changed its format and the connector must be adapted."


def refuse(source: str, connection: Connection, message: str, advice: str) -> Refused:
    """The error for a connection whose settings cannot work, for the caller to raise."""
    return Refused(
        message,
        source=source,
        connection_id=connection.connection_id,
        origin=connection.origin,
        path="the connection's settings",
        advice=advice,
    )


class UnreadableBody(ValueError):
    """A body that cannot be read at all. The message says what it contains instead."""


class BodyError(Exception):
    """A body that cannot be read: its position in the read, and the reason."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.number = number
        self.reason = reason
