"""The HTTP client of one connection.

Waiting, retrying, renewing tokens and detecting truncated responses are done here, because they are the same for all
vendors. Vendor-specific rules are in the `Dialect`. The client writes no files and never puts a secret into a message,
a log line or a landed body.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from urllib.parse import urlencode

import httpx
import tenacity

from funnel import logins
from funnel.contract import Connection
from funnel.logins import Login
from funnel.rest import retries
from funnel.rest.auth import Token, is_hidden, secrets, spellings
from funnel.rest.diagnosis import diagnose_archive, diagnose_by_status, diagnose_shape, diagnose_transport, parse, read
from funnel.rest.errors import (
    AccountDenied,
    DeadToken,
    LongUrl,
    QuotaExhausted,
    Refused,
    RestartWindow,
    Throttled,
    TokenExpired,
    Unavailable,
    UnknownForm,
    VendorError,
)
from funnel.rest.messages import Answer, Diagnosis, Page, Request, value_at
from funnel.rest.network import open_http
from funnel.rest.retries import is_enough, log_pause, pause, wait

log = logging.getLogger(__name__)

# httpx logs whole URLs at INFO, and Meta's carry the access token.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)


LONGEST_WAIT = 300.0  # seconds one throttle may hold a worker's slot
LONGEST_QUERY = 4_000  # bytes; LinkedIn refuses 4 KB, the shortest limit of these vendors
LARGEST_IN_MEMORY = 8_000_000  # bytes of a downloaded file
REFUSAL_PAUSE = 2.0  # seconds; some of a vendor's servers may not have a new token yet


@dataclass(frozen=True)
class Dialect:
    """The vendor-specific part of a client.

    sign      adds the authentication to a request
    diagnose  finds an error in an answer, whatever its status; None if it finds none
    login     fetches an access token; None if the connection contains the token
    """

    source: str
    sign: Callable[[Connection, str, Request], Request]
    diagnose: Callable[[Answer], Diagnosis | None]
    login: Callable[["Client"], Token] | None = None


class Client:
    """One connection of one vendor, open for as long as one stream is read."""

    def __init__(self, dialect: Dialect, connection: Connection, http: httpx.Client) -> None:
        self.dialect = dialect
        self.connection = connection
        self.refresh_token: str = connection.extra.get("refresh_token") or ""
        self._http = http
        self._store = connection.logins or logins.in_memory()
        self._key = logins.key_of(dialect.source, connection)
        self._login: Login | None = None
        self._is_new = False  # true if the token comes from a new login that no answer has confirmed yet
        self._is_kept = False  # true if the token comes from another process's login, which may have been revoked since
        self._refused: set[str] = set()
        self._secrets = secrets(connection)
        # The last request, for errors about its answer.
        self.last_request = Request("GET", "/")

    def ask(self, request: Request) -> Page:
        """Send a request until the vendor answers completely. Raises VendorError if the vendor will not."""
        if request.query is not None and len(request.query) > LONGEST_QUERY:
            request = replace(request, in_form=True)
        try:
            return self._ask_with_token(request)
        except LongUrl:
            if request.query is None or request.in_form:
                raise
            log.info("%s: the address is too long, asked in a form", self.dialect.source)
        return self._ask_with_token(replace(request, in_form=True))

    def _ask_with_token(self, request: Request) -> Page:
        can_renew = self.dialect.login is not None
        may_wait, may_renew = True, can_renew
        while True:
            try:
                page = self._ask_with_retries(request)
            except (TokenExpired, DeadToken) as refusal:
                if may_wait and isinstance(refusal, TokenExpired) and (self._is_new or not can_renew):
                    may_wait = False
                    self._wait_for_token(refusal)
                elif may_renew and (isinstance(refusal, TokenExpired) or self._is_kept):
                    may_renew = False
                    self._renounce_token()
                elif isinstance(refusal, DeadToken):
                    raise
                else:
                    raise self._as(DeadToken, refusal) from None
            else:
                self._is_new = False
                return page

    def _wait_for_token(self, refusal: VendorError) -> None:
        """Wait before the token is sent again: a server may not accept a new token yet, or refuse a valid one by
        mistake.
        """
        log.info(
            "%s: the token of connection %s was refused (%s), asked once more",
            self.dialect.source,
            self.connection.connection_id,
            refusal.message,
        )
        wait(REFUSAL_PAUSE)

    def _renounce_token(self) -> None:
        log.info("%s: token of connection %s expired, renewed", self.dialect.source, self.connection.connection_id)
        if self._login:
            self._refused.add(self._login.access_token)
        self._login = None

    def download_archive(self, address: str) -> Page:
        """Download a ZIP from a URL in the response, without sending our token (the host may be a third party)."""
        return self._ask_with_retries(Request("GET", address, archive=True), signed=False)

    def ask_for_token(self, request: Request) -> dict[str, Any]:
        """The answer of a token endpoint, requested without a token. Raises Unavailable if it holds no access_token,
        Refused if the account is denied.
        """
        try:
            parsed = self._ask_with_retries(request, signed=False).parsed
        except AccountDenied as denied:
            # A login belongs to the whole connection.
            raise self._as(Refused, denied) from None
        if not isinstance(value_at(parsed, "access_token"), str):
            raise self.fail(Unavailable, "the token endpoint answered without an access_token", request)
        return dict(parsed)

    def download(self, request: Request, lacks: Callable[[IO[bytes]], str | None]) -> IO[bytes]:
        """Download a file from a signed URL, without our token; returns it complete, as a temporary file.

        `lacks` returns what is missing in the file, or None; an incomplete file is downloaded again.
        """
        file: IO[bytes] = self._retried(self._download_once, request, lacks)
        return file

    def clean(self, text: str) -> str:
        """`text` without this connection's secrets: vendors repeat a bad token in their message."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        # Messages go to logs and into the ledger, which cannot store NUL or half a surrogate pair.
        return text.replace("\x00", "").encode(errors="replace").decode()

    def clean_body(self, body: bytes) -> bytes:
        """`body` without this connection's secrets: Meta writes the access token into every `paging.next`."""
        for secret in self._secrets:
            body = body.replace(secret.encode(), b"***")
        return body

    def fail(self, error: type[VendorError], message: str, request: Request, **more: Any) -> VendorError:
        """A VendorError of this vendor and connection about `request`, for the caller to raise."""
        return error(
            self.clean(message),
            source=self.dialect.source,
            connection_id=self.connection.connection_id,
            origin=self.connection.origin,
            path=self.clean(request.shown_path),
            **more,
        )

    def _as(self, kind: type[VendorError], error: VendorError, **changed: Any) -> VendorError:
        return kind(
            error.message,
            source=error.source,
            connection_id=error.connection_id,
            origin=error.origin,
            path=error.path,
            status=error.status,
            wait_seconds=changed.get("wait_seconds"),
            advice=changed.get("advice"),
        )

    def _ask_with_retries(self, request: Request, *, signed: bool = True) -> Page:
        token = self._access_token() if signed else None
        page: Page = self._retried(self._ask_once, request, token)
        return page

    def _retried(self, ask: Callable[..., Any], *arguments: Any) -> Any:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((Throttled, Unavailable)),
            wait=pause,
            stop=is_enough,
            before_sleep=log_pause,
            sleep=retries.wait,
            reraise=True,
        )
        try:
            return retrying(ask, *arguments)
        except Throttled as throttled:
            wait = max(throttled.wait_seconds or 0.0, LONGEST_WAIT)
            raise self._as(QuotaExhausted, throttled, wait_seconds=wait) from None

    def _ask_once(self, request: Request, token: str | None) -> Page:
        self.last_request = request
        sent = _spell_out(request if token is None else self.dialect.sign(self.connection, token, request))
        failure: VendorError
        try:
            # Streamed: a response that was read whole is in a reference cycle with its body until the next garbage
            # collection.
            with self._http.stream(
                sent.method,
                self._url(sent.path),
                params=dict(sent.params) or None,
                json=sent.json,
                data=dict(sent.form) if sent.form is not None else None,
                content=sent.query if sent.in_form else None,
                headers=dict(sent.headers),
            ) as response:
                body = b"".join(response.iter_bytes())
        except httpx.HTTPError as error:
            failure = self._unanswered(error, request)
        else:
            parsed = read(request, response.headers, body) if response.is_success else parse(body)
            answer = Answer(response.status_code, response.headers, body, parsed)
            diagnosis = (
                (diagnose_archive(answer) if request.archive else self.dialect.diagnose(answer))
                or diagnose_by_status(answer)
                or diagnose_shape(request, answer)
            )
            if diagnosis is None:
                return Page(answer.body if request.archive else self.clean_body(answer.body), answer.parsed)
            failure = self.fail(
                diagnosis.error,
                diagnosis.message,
                request,
                status=answer.status,
                wait_seconds=diagnosis.wait_seconds,
                advice=diagnosis.advice,
            )
            if isinstance(failure, Throttled) and (failure.wait_seconds or 0.0) > LONGEST_WAIT:
                failure = self._as(QuotaExhausted, failure, wait_seconds=failure.wait_seconds)
        # Raised outside the handlers: httpx's exceptions hold the signed request, which must not be chained.
        raise failure

    def _download_once(self, request: Request, lacks: Callable[[IO[bytes]], str | None]) -> IO[bytes]:
        failure: VendorError
        file: IO[bytes] = SpooledTemporaryFile(LARGEST_IN_MEMORY)  # noqa: SIM115 - ends with its reader
        try:
            with self._http.stream(request.method, self._url(request.path)) as response:
                for part in response.iter_bytes():
                    file.write(part)
        except httpx.HTTPError as error:
            failure = self._unanswered(error, request)
        else:
            file.seek(0)
            if response.status_code in (403, 404, 410):
                failure = self.fail(
                    RestartWindow, "the link to the file has expired", request, status=response.status_code
                )
            elif response.status_code != 200:
                failure = self.fail(Unavailable, "no file", request, status=response.status_code)
            elif missing := lacks(file):
                failure = self.fail(Unavailable, missing, request, status=response.status_code)
            else:
                file.seek(0)
                return file
        file.close()
        raise failure

    def _unanswered(self, error: httpx.HTTPError, request: Request) -> VendorError:
        found = diagnose_transport(error)
        return self.fail(found.error, found.message, request, advice=found.advice)

    def _access_token(self) -> str:
        if self.dialect.login is None:
            return self.connection.password or ""
        if self._login is None or not self._login.is_good(self._key, self._refused):
            first = self.connection.extra.get("refresh_token")
            log_in = partial(self._log_in, self.dialect.login)
            self._is_kept = True
            self._login = logins.current(self._store, self._key, first, self._refused, log_in)
            self._hide(self._login.access_token, self._login.refresh_token)
        return self._login.access_token

    def _log_in(self, login: Callable[["Client"], Token], newest: Callable[[], str | None]) -> Token:
        """Request a token from the vendor. A refusal may be temporary: the login is tried once more, with the newest
        refresh token.
        """
        self._is_new, self._is_kept = True, False
        for may_ask_again in (True, False):
            self.refresh_token = newest() or ""
            self._hide(self.refresh_token)
            try:
                token = login(self)
            except DeadToken as dead:
                if not may_ask_again:
                    raise self._as(DeadToken, dead, advice=self._advice_on_login(dead)) from None
                log.warning("%s; the login is tried once more", dead)
                wait(REFUSAL_PAUSE)
            else:
                break
        self._hide(token.value, token.refresh_token)
        return token

    def _advice_on_login(self, dead: VendorError) -> str:
        if self.refresh_token == (self.connection.extra.get("refresh_token") or ""):
            return dead.advice
        return (
            "The vendor replaced the refresh token of the connection by a new one at an earlier login and refuses that "
            "one now. Sign in again at the vendor and save the refresh token of that in the connection; it must not be "
            "used by another installation."
        )

    def _hide(self, *secrets: str | None) -> None:
        """Also remove these tokens of the vendor from messages and bodies."""
        spelled = {spelling for secret in secrets if is_hidden(secret) for spelling in spellings(secret)}
        self._secrets = tuple(sorted({*self._secrets, *spelled}, key=len, reverse=True))

    def _url(self, path: str) -> str:
        if path.startswith(("http://", "https://")):
            return path
        base = self._login.base_url if self._login and self._login.base_url else self.connection.base_url
        return base.rstrip("/") + path


@contextmanager
def connect(dialect: Dialect, connection: Connection) -> Iterator[Client]:
    """A client for one connection, closed when the block ends.

    Settings in the connection's extra: `ca_file` (certificate authority to trust instead of the usual ones) and
    `timeout_seconds` (how long to wait for an answer). Raises UnknownForm if the block fails because a response has an
    unexpected format.
    """
    with open_http(dialect.source, connection) as http:
        client = Client(dialect, connection, http)
        try:
            yield client
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
            message = f"the response has a format that the connector does not know ({type(error).__name__}: {error})"
            raise client.fail(UnknownForm, message, client.last_request) from error


def _spell_out(request: Request) -> Request:
    """A request with a `query` in its HTTP form: in the URL, or as the form of a POST with X-HTTP-Method-Override."""
    if request.query is None:
        return request
    query = "&".join(part for part in (request.query, urlencode(request.params)) if part)
    if not request.in_form:
        return replace(request, path=f"{request.path}?{query}", query=query, params={})
    # Rest.li calls it query tunnelling.
    form = {"Content-Type": "application/x-www-form-urlencoded", "X-HTTP-Method-Override": request.method}
    return replace(request, method="POST", query=query, params={}, headers={**request.headers, **form})
