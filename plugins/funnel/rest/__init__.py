"""How every vendor is asked over HTTP: one client, one loop over pages, one meaning for each way of failing.

A connector describes its vendor in a `Dialect` (how to sign a request, how to read its error bodies), makes a
`Request`, picks a paginator and receives `Page`s. Waiting, retrying, renewing tokens and noticing half an answer
happen here, because they are the same everywhere. What a failure asks for is said by its class:

    Throttled        waited out here, as long as the vendor says, if that is minutes
    Unavailable      5xx, HTML, a body cut short, 200 with an error inside: asked again here, with growing pauses
    TokenExpired     asked again here with a token that is new, renewed once; then it becomes DeadToken
    TimedOut         asked again here twice; then the window is halved, as for TooMuchData
    TooMuchData      the window is halved, down to one day, then the page size
    LongUrl          asked again here with the query in a form
    RestartWindow    what was read of this window is worthless; the caller discards it and fetches the window again
    QuotaExhausted   hours, not minutes: the caller gives its slot back and comes again after `wait_seconds`
    DeadToken        a person must make a new token: fail at once
    Refused          permission, unknown field, sunset version, bad setting: fail at once
    UnknownForm      an answer of another form than the connector knows, met while it was read

The first five never leave this module unless the vendor does not recover. It does not know any vendor, does not
write files and never puts a secret into a message, a log line or a landed body.
"""

import hashlib
import io
import logging
import re
import ssl
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from tempfile import SpooledTemporaryFile
from typing import IO, Any, TypeGuard
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import certifi
import httpx
import tenacity

from funnel import tokens
from funnel.contract import Connection, Window
from funnel.rest import bodies
from funnel.tokens import Login

log = logging.getLogger(__name__)

Token = tokens.Token

# httpx logs whole URLs at INFO, and Meta's carry the access token.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)

# Tests replace this: a throttle of a minute must not cost them one.
sleep: Callable[[float], None] = time.sleep
# Recordings replace these: one hears what is asked and answered, the other answers instead of a network.
tap: Callable[[httpx.Client], None] | None = None
transport: httpx.BaseTransport | None = None

USER_AGENT = "funnel-warehouse/0.1"
LONGEST_WAIT = 300.0  # seconds one throttle may hold a worker's slot
LONGEST_WAITING = 900.0  # seconds one request may wait in all
BELIEVED_WAITS = 3
LONGEST_QUERY = 4_000  # bytes; LinkedIn refuses 4 KB, the shortest limit of these vendors
ATTEMPTS = 6  # of a request that finds the vendor unavailable: about half a minute
TIMEOUTS = 3  # of one request, two minutes each
SMALLEST_PAGE = 5
MOST_PAGES_IN_MEMORY = 1_000_000  # bytes of the pages of a question that is given out whole
LARGEST_IN_MEMORY = 8_000_000  # bytes of a downloaded file
REFUSAL_PAUSE = 2.0  # seconds; a vendor's servers may not all know a new token yet
LONGEST_JOB = 1_800.0  # seconds a vendor may take to prepare a file while a worker waits
CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 120.0  # Salesforce lets a query run for two minutes

_SECRET_SETTING = re.compile(r"(secret|token|password|key)$", re.IGNORECASE)


class VendorError(Exception):
    """A vendor did not give what was asked. `advice` says what to do next; no secret is in any part of it."""

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
        """When to ask again, counted from now."""
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
    advice = "Nothing: the client waits and tries again."


class Unavailable(VendorError):
    advice = "Nothing if it passes; if it does not, check the vendor's status page and the base URL."


class TimedOut(Unavailable):
    """No answer in the time that a worker waits. A question that was too heavy times out again: less is asked then."""

    advice = (
        "Nothing if it passes; else ask for fewer days at once, or raise timeout_seconds in the connection's extra."
    )


class TokenExpired(VendorError):
    advice = "Nothing: the token is renewed."


class TooMuchData(VendorError):
    advice = "Ask for fewer days at once, or lower page_size in the connection's extra."


class LongUrl(VendorError):
    advice = "Nothing: the request is repeated with the query in its body."


class RestartWindow(VendorError):
    advice = "Discard what was read of this window and read it again from the start."


class QuotaExhausted(VendorError):
    advice = (
        "Run again after the wait; every call until then uses up quota. Ask the vendor for a higher limit if it recurs."
    )


class DeadToken(VendorError):
    advice = "Make a new token at the vendor and save it in the Airflow connection; docs/connections.md says how."


class Refused(VendorError):
    advice = "Correct the connection or the vendor's permissions; docs/connections.md lists what is needed."


class AccountDenied(Refused):
    """The vendor refuses one account; others of the same connection may answer."""

    advice = (
        "Give the login access to this account again, or take the account out of the connection: its days stay as they "
        "were read."
    )


class UnknownField(Refused):
    """The vendor does not know a field by name; a connector may ask again without it."""


class UnknownForm(VendorError):
    advice = "Run again; if the vendor answers the same again, it changed its format and the connector must be adapted."


@dataclass(frozen=True)
class Request:
    """One question. `path` is relative to the vendor's base URL, or absolute for a token endpoint.

    `expects` names the list an answer must hold: without it a 200 is an error in disguise, not an empty page. A list of
    `full_at` elements or more was cut by a vendor that does not say so. `query` is sent letter by letter, where a
    vendor reads brackets and commas as structure; with `in_form` it travels in the body of a POST instead. The answer
    to a question for an `archive` is a ZIP file, whole or not at all. Of any other answer that is no JSON, `reads`
    makes what a paginator needs, from its headers and its body; None says that the answer is not whole.
    `lacks` says what an answer that looks well lacks, for vendors that tell how much there should be.
    """

    method: str
    path: str
    expects: str | None = None
    params: Mapping[str, str | int] = field(default_factory=dict)
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    lacks: Callable[["Request", Any], str | None] | None = None
    query: str | None = None
    in_form: bool = False
    full_at: int | None = None
    archive: bool = False
    reads: Callable[[Mapping[str, str], bytes], Any] | None = None

    @property
    def shown_path(self) -> str:
        """Path without host and query: these may hold secrets."""
        return urlsplit(str(self.path)).path


@dataclass(frozen=True)
class Answer:
    """What came back. `parsed` is None when the body is not one complete JSON document."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    parsed: Any


@dataclass(frozen=True)
class Diagnosis:
    """What a vendor's error body means: a class of this module, the vendor's words and how long to wait."""

    error: type[VendorError]
    message: str
    wait_seconds: float | None = None
    advice: str | None = None


@dataclass(frozen=True)
class Page:
    """One body as received, and the same parsed."""

    body: bytes
    parsed: Any


@dataclass(frozen=True)
class Dialect:
    """What is particular to one vendor.

    sign      adds the authentication to a request
    diagnose  reads an error out of an answer, whatever its status; None when there is none it knows
    login     fetches an access token; None where the token in the connection is all there is
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
        self._store = connection.tokens or tokens.in_memory()
        self._key = tokens.key_of(dialect.source, connection)
        self._login: Login | None = None
        self._is_new = False  # the token is of a login just made, and no answer has come for it yet
        self._is_kept = False  # the token is of a login made elsewhere, which may have been revoked since
        self._refused: set[str] = set()
        self._secrets = _secrets(connection)
        # What was asked last, for an error about what it answered.
        self.last_request = Request("GET", "/")

    def ask(self, request: Request) -> Page:
        """Ask until the vendor answers completely, or say why it will not."""
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
                page = self._ask_patiently(request)
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
        """A new token may be refused where a server does not know it yet; one that is never renewed, by an accident."""
        log.info(
            "%s: the token of connection %s was refused (%s), asked once more",
            self.dialect.source,
            self.connection.connection_id,
            refusal.message,
        )
        sleep(REFUSAL_PAUSE)

    def _renounce_token(self) -> None:
        log.info("%s: token of connection %s expired, renewed", self.dialect.source, self.connection.connection_id)
        if self._login:
            self._refused.add(self._login.access_token)
        self._login = None

    def download_archive(self, address: str) -> Page:
        """The ZIP file at an address that a body named, asked for without the token, which is not for strangers."""
        return self._ask_patiently(Request("GET", address, archive=True), signed=False)

    def ask_for_token(self, request: Request) -> dict[str, Any]:
        """What a token endpoint answers: asked without a token, and sure to hold one."""
        try:
            parsed = self._ask_patiently(request, signed=False).parsed
        except AccountDenied as denied:
            # A login is the whole connection's.
            raise self._as(Refused, denied) from None
        if not isinstance(value_at(parsed, "access_token"), str):
            raise self.fail(Unavailable, "the token endpoint answered without an access_token", request)
        return dict(parsed)

    def download(self, request: Request, lacks: Callable[[IO[bytes]], str | None]) -> IO[bytes]:
        """A file behind a link that is its own permission: fetched without the token, whole, and off the memory.

        `lacks` says what the file lacks; one that is not complete is fetched again.
        """
        file: IO[bytes] = self._patiently(self._download_once, request, lacks)
        return file

    def clean(self, text: str) -> str:
        """`text` without this connection's secrets: vendors like to repeat a bad token in their message."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        # Messages go to logs and into the ledger, which hold neither NUL nor half a letter.
        return text.replace("\x00", "").encode(errors="replace").decode()

    def clean_body(self, body: bytes) -> bytes:
        """`body` without this connection's secrets: Meta writes the access token into every `paging.next`."""
        for secret in self._secrets:
            body = body.replace(secret.encode(), b"***")
        return body

    def fail(self, error: type[VendorError], message: str, request: Request, **more: Any) -> VendorError:
        """An exception of this vendor and connection about `request`."""
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

    def _ask_patiently(self, request: Request, *, signed: bool = True) -> Page:
        token = self._access_token() if signed else None
        page: Page = self._patiently(self._ask_once, request, token)
        return page

    def _patiently(self, ask: Callable[..., Any], *arguments: Any) -> Any:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((Throttled, Unavailable)),
            wait=_pause,
            stop=_is_enough,
            before_sleep=_log_pause,
            sleep=lambda seconds: sleep(seconds),
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
            # Streamed, because a response that was read whole lies in a cycle with its body until the next collection.
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
            parsed = _read(request, response.headers, body) if response.is_success else _parse(body)
            answer = Answer(response.status_code, response.headers, body, parsed)
            diagnosis = (
                (_diagnose_archive(answer) if request.archive else self.dialect.diagnose(answer))
                or _diagnose_by_status(answer)
                or _diagnose_shape(request, answer)
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
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return self.fail(
                    Refused,
                    f"its TLS certificate is not trusted ({cause.verify_message})",
                    request,
                    advice="Put the path of the CA's certificate into ca_file in the connection's extra.",
                )
            cause = cause.__cause__ or cause.__context__
        if isinstance(error, httpx.UnsupportedProtocol):
            return self.fail(
                Refused,
                "the base URL has no http:// or https://",
                request,
                advice="Write the connection's host with its scheme, for example https://graph.facebook.com.",
            )
        kind = TimedOut if isinstance(error, httpx.ReadTimeout) else Unavailable
        return self.fail(kind, f"{type(error).__name__}: {error}", request)

    def _access_token(self) -> str:
        if self.dialect.login is None:
            return self.connection.password or ""
        if self._login is None or not self._login.is_good(self._key, self._refused):
            first = self.connection.extra.get("refresh_token")
            log_in = partial(self._log_in, self.dialect.login)
            self._is_kept = True
            self._login = tokens.current(self._store, self._key, first, self._refused, log_in)
            self._hide(self._login.access_token, self._login.refresh_token)
        return self._login.access_token

    def _log_in(self, login: Callable[["Client"], Token], newest: Callable[[], str | None]) -> Token:
        """Ask the vendor for a token. A refusal may pass by itself: it is asked once more, with the newest token."""
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
                sleep(REFUSAL_PAUSE)
            else:
                break
        self._hide(token.value, token.refresh_token)
        if token.refresh_token and token.refresh_token != self.refresh_token and self.connection.tokens is None:
            log.warning(
                "%s: connection %s was given a new refresh token, which is lost with this process: nothing keeps it",
                self.dialect.source,
                self.connection.connection_id,
            )
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
        """Tokens that the vendor gave are blanked like those of the connection."""
        spelled = {spelling for secret in secrets if _is_hidden(secret) for spelling in _spellings(secret)}
        self._secrets = tuple(sorted({*self._secrets, *spelled}, key=len, reverse=True))

    def _url(self, path: str) -> str:
        if path.startswith(("http://", "https://")):
            return path
        base = self._login.base_url if self._login and self._login.base_url else self.connection.base_url
        return base.rstrip("/") + path


def refuse(source: str, connection: Connection, message: str, advice: str) -> Refused:
    """A connection that cannot work as it is filled in."""
    return Refused(
        message,
        source=source,
        connection_id=connection.connection_id,
        origin=connection.origin,
        path="the connection's settings",
        advice=advice,
    )


def listed(
    source: str, connection: Connection, setting: str, tidy: Callable[[str], str] = lambda account: account
) -> list[str]:
    """The accounts a connection names in its extra, as a list or as text with commas; each once.

    `tidy` writes an account as the vendor's rows write it.
    """
    named = connection.extra.get(setting) or []
    if not isinstance(named, list):
        named = str(named).split(",")
    accounts = [tidy(stripped) for one in named if (stripped := str(one).strip())]
    if not accounts:
        advice = f'Write the accounts into the connection\'s extra: {{"{setting}": ["1234567890"]}}.'
        raise refuse(source, connection, "no ad account is named", advice)
    return list(dict.fromkeys(accounts))


@cache
def _trust(ca_file: str) -> ssl.SSLContext:
    # Reading the certificates takes longer than a request; one process reads many streams.
    return ssl.create_default_context(cafile=ca_file)


@contextmanager
def connect(dialect: Dialect, connection: Connection) -> Iterator[Client]:
    """A client for one connection, closed when the block ends.

    Settings in the connection's extra: `ca_file` (certificate authority to trust instead of the usual ones) and
    `timeout_seconds` (how long to wait for an answer).
    """
    ca_file = connection.extra.get("ca_file")
    try:
        verify = _trust(ca_file or certifi.where())
    except OSError as error:
        raise refuse(
            dialect.source,
            connection,
            f"ca_file {ca_file} cannot be read ({error.strerror or error})",
            "Write the path of a PEM file that the worker can read into ca_file.",
        ) from None
    http = httpx.Client(
        timeout=httpx.Timeout(
            float(connection.extra.get("timeout_seconds", READ_TIMEOUT)),
            connect=CONNECT_TIMEOUT,
        ),
        limits=httpx.Limits(max_connections=2, max_keepalive_connections=2),
        headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
        verify=verify,
        follow_redirects=False,
        # The proxy of the environment is not asked for a server on this machine.
        mounts={"all://127.0.0.1": None, "all://localhost": None},
        transport=transport,
    )
    if tap is not None:
        tap(http)
    with http:
        client = Client(dialect, connection, http)
        try:
            yield client
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
            message = f"the response has a format that the connector does not know ({type(error).__name__}: {error})"
            raise client.fail(UnknownForm, message, client.last_request) from error


# Pages -----------------------------------------------------------------------------------------------------------

Paginator = Callable[[Request, Any], Request | None]


def read_pages(
    client: Client,
    request: Request,
    paginator: Paginator,
    *,
    page_size_parameter: str | None = None,
    may_shrink_first: bool = True,
) -> Iterator[Page]:
    """Every page from `request` on. The only loop over pages there is.

    The end is what the paginator says, never an empty page: vendors send those in the middle. A token that leads to a
    page which was asked for before would never end, and is an error. When a page is too much for the vendor, it is
    asked again with half the `page_size_parameter`; the first page and one that times out only if `may_shrink_first`,
    since a caller that can halve its window wants to hear of it first.
    """
    first, seen = request, {_identity(request)}
    next_request: Request | None = request
    while next_request is not None:
        request = next_request
        try:
            page = client.ask(request)
        except (TooMuchData, TimedOut) as error:
            smaller = _shrink(request, page_size_parameter)
            is_first = len(seen) == 1
            if smaller is None or ((is_first or isinstance(error, TimedOut)) and not may_shrink_first):
                raise
            log.warning("%s: a page is too much at once, asked for a smaller one", client.dialect.source)
            next_request = smaller
            continue
        next_request = paginator(request, page.parsed)
        if next_request is not None:
            if _identity(next_request) in seen:
                leads = (
                    "the link to it leads to the same page again" if next_request == request else "they go in a circle"
                )
                message = f"the next page {_token(first, next_request)!r} was read before: {leads}"
                raise client.fail(Unavailable, message, request)
            seen.add(_identity(next_request))
        yield page


def _identity(request: Request) -> bytes:
    """What makes a question another one, as a hash: a read may have many pages."""
    asked = [request.method, request.path, request.query, dict(request.params), dict(request.json or {})]
    return hashlib.blake2b(bodies.write_json(asked), digest_size=16).digest()


def _token(first: Request, following: Request) -> str:
    """What a question says otherwise than the first: the token, cursor or link of its page; of a long one the end."""
    if following.path != first.path:
        return following.shown_path[-100:]
    before = {**first.params, **(first.json or {}), **_variables(first)}
    after = {**following.params, **(following.json or {}), **_variables(following)}
    changed = [value for name, value in after.items() if before.get(name) != value and not isinstance(value, dict)]
    return str([*changed, following.shown_path][0])[-100:]


def _variables(request: Request) -> dict[str, Any]:
    found = (request.json or {}).get("variables")
    return found if isinstance(found, dict) else {}


def _all_or_nothing(pages: Iterator[Page]) -> Iterator[Page]:
    """The bodies of the pages, off the memory until the last is read: a question that fails on the way gave none."""
    with SpooledTemporaryFile(MOST_PAGES_IN_MEMORY) as file:
        for page in pages:
            file.write(len(page.body).to_bytes(8, "big"))
            file.write(page.body)
        file.seek(0)
        while size := file.read(8):
            yield Page(file.read(int.from_bytes(size, "big")), None)


def read_halving(
    window: Window,
    read: Callable[[Window], Iterator[Page]],
    read_day: Callable[[Window], Iterator[Page]] | None = None,
) -> Iterator[Page]:
    """The bodies of a window; if a page is too much for the vendor, those of its halves, down to one day.

    No page of a window is given out before its last one is read: those of its halves would repeat its rows. `read_day`
    asks for less than `read` when even one day is too much.
    """
    pages = _all_or_nothing(read(window))
    try:
        first = next(pages, None)
    except (TooMuchData, TimedOut) as error:
        if len(window.days) == 1:
            if read_day is None:
                raise
            yield from read_day(window)
            return
        middle = window.from_day + timedelta(days=len(window.days) // 2)
        log.warning("%s: window %s to %s is too much at once, halved", error.source, window.from_day, window.to_day)
        first = None
        pages = _chain(
            read_halving(replace(window, to_day=middle, until_now=False), read, read_day),
            read_halving(replace(window, from_day=middle), read, read_day),
        )
    if first is not None:
        yield first
    yield from pages


def read_splitting(items: list[Any], read: Callable[[list[Any]], Iterator[Page]]) -> Iterator[Page]:
    """The bodies of a question about `items`; if it is too much for the vendor, of its halves, down to one of them."""
    pages = _all_or_nothing(read(items))
    try:
        first = next(pages, None)
    except (TooMuchData, TimedOut) as error:
        if len(items) == 1:
            raise
        log.warning("%s: a question about %d at once is too much, halved", error.source, len(items))
        middle = len(items) // 2
        first = None
        pages = _chain(read_splitting(items[:middle], read), read_splitting(items[middle:], read))
    if first is not None:
        yield first
    yield from pages


@dataclass(frozen=True)
class Report:
    """How a vendor makes a file on request, which is asked for, asked about until it is ready, and fetched.

    poll     the question about its state, from the submission and its answer
    state    what the answer to that question says; an unknown word counts as a failure
    address  where the file lies, from the same answer; None when there is nothing to fetch
    """

    poll: Callable[[Request, Any], Request]
    state: Callable[[Any], str]
    address: Callable[[Any], str | None]
    pending: tuple[str, ...]
    ready: tuple[str, ...]


def read_report(client: Client, submission: Request, report: Report) -> Iterator[Page]:
    """The file of a report, or nothing where the vendor has no data.

    Addresses live for minutes: when one is dead the report is asked about again, which gives a fresh one.
    """
    question = report.poll(submission, client.ask(submission).parsed)
    for fetches_left in reversed(range(BELIEVED_WAITS)):
        answer = await_job(client, question, lambda parsed: report.state(parsed) not in report.pending).parsed
        state = report.state(answer)
        if state not in report.ready:
            raise client.fail(RestartWindow, f"the report ended as {state!r}", question)
        address = report.address(answer)
        if address is None:
            return
        try:
            page = client.download_archive(address)
        except (Refused, DeadToken, TokenExpired):
            if not fetches_left:
                raise
            log.info("%s: the address of a report is dead, asked for another", client.dialect.source)
            continue
        yield page
        return


def by_token_in_body(answer_path: str, request_field: str) -> Paginator:
    """The answer names the next page's token; it goes into the JSON body of the same question (Google)."""

    def paginate(request: Request, parsed: Any) -> Request | None:
        token = value_at(parsed, answer_path)
        return replace(request, json={**(request.json or {}), request_field: token}) if token else None

    return paginate


def by_cursor(answer_path: str, parameter: str) -> Paginator:
    """The answer names the next page's cursor; it goes into the query of the same question (HubSpot lists)."""

    def paginate(request: Request, parsed: Any) -> Request | None:
        cursor = value_at(parsed, answer_path)
        return replace(request, params={**request.params, parameter: cursor}) if cursor else None

    return paginate


def by_offset(total_path: str) -> Paginator:
    """The answer says how many rows there are; the next page begins `limit` further on (GA4 reports)."""

    def paginate(request: Request, parsed: Any) -> Request | None:
        asked = dict(request.json or {})
        following = int(asked.get("offset", 0)) + int(asked["limit"])
        if following >= int(value_at(parsed, total_path) or 0):
            return None
        return replace(request, json={**asked, "offset": str(following)})

    return paginate


def by_query_of_link(answer_path: str, parameters: tuple[str, ...]) -> Paginator:
    """The answer links the next page; only the named query parameters of the link are taken over (Meta).

    Following the whole link would send the token wherever the body says.
    """

    def paginate(request: Request, parsed: Any) -> Request | None:
        link = value_at(parsed, answer_path)
        if not link:
            return None
        found = {name: value for name, value in parse_qsl(urlsplit(link).query) if name in parameters}
        return replace(request, params={**request.params, **found})

    return paginate


def by_path_of_link(answer_path: str) -> Paginator:
    """The answer links the next page by a path on the same host, which is the whole next question (Salesforce)."""

    def paginate(request: Request, parsed: Any) -> Request | None:
        link = value_at(parsed, answer_path)
        return replace(request, path=urlsplit(link).path, params={}) if link else None

    return paginate


def by_highest_id(restrict: Callable[[Request, int], Request], cursor: Paginator) -> Paginator:
    """Each page starts after the highest id of the one before (HubSpot searches).

    An offset would skip a record whenever an earlier one changed meanwhile and left the result, and ends at 10,000.
    An empty page that is not the last has no highest id: `cursor` leads on from it.
    """

    def paginate(request: Request, parsed: Any) -> Request | None:
        following = cursor(request, parsed)
        found = [str(value_at(record, "id")) for record in parsed["results"]]
        ids = [int(one) for one in found if re.fullmatch(r"[0-9]{1,20}", one)]
        return following if following is None or not ids else restrict(request, max(ids))

    return paginate


def by_cursor_in_variables(connection_path: str) -> Paginator:
    """A GraphQL connection tells where its next page begins; that goes into the variable `after` (Shopify)."""

    def paginate(request: Request, parsed: Any) -> Request | None:
        if not value_at(parsed, f"{connection_path}.pageInfo.hasNextPage"):
            return None
        asked = dict(request.json or {})
        cursor = value_at(parsed, f"{connection_path}.pageInfo.endCursor")
        return replace(request, json={**asked, "variables": {**asked["variables"], "after": cursor}})

    return paginate


def token_of(answer: Mapping[str, Any], base_url: str | None = None) -> Token:
    """The token that a token endpoint answers, with the refresh token for the next login where it names one."""
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
    """What a token endpoint's error means (RFC 6749, 5.2); `dead` are the errors that only a new grant ends."""
    if answer.status >= 500 or answer.status == 429:
        return None
    message = f"{error} {description}".strip()
    if error in ("invalid_client", "unauthorized_client"):
        return Diagnosis(DeadToken, message, advice="Check login (client id) and password (client secret).")
    return Diagnosis(DeadToken if error in dead else Refused, message)


def await_job(client: Client, request: Request, is_done: Callable[[Any], bool], pause: float = 0.25) -> Page:
    """Ask for the state of a job until it is done, more and more slowly."""
    waited = 0.0
    while True:
        page = client.ask(request)
        if is_done(page.parsed):
            return page
        if waited >= LONGEST_JOB:
            message = f"the vendor has been preparing its answer for {waited:.0f} s and has not finished"
            raise client.fail(QuotaExhausted, message, request, wait_seconds=LONGEST_JOB)
        sleep(pause)
        waited += pause
        pause = min(pause * 2, 30.0)


def one_page(request: Request, parsed: Any) -> Request | None:
    """The answer is complete in itself."""
    return None


def with_fields(body: bytes, **fields: str) -> bytes:
    """A JSON object as received, with what was asked and is not said in it written before its own fields."""
    # Behind a byte order mark, if there is one.
    rest = body[body.index(b"{") + 1 :].lstrip()
    return bodies.write_json(fields)[:-1] + (rest if rest.startswith(b"}") else b"," + rest)


def value_at(parsed: Any, path: str) -> Any:
    """The value at a dotted path, None when any part of the way is missing."""
    for name in path.split("."):
        if not isinstance(parsed, dict):
            return None
        parsed = parsed.get(name)
    return parsed


def in_windows(window: Window, days: int) -> Iterator[Window]:
    """`window` in parts of at most `days` days, the oldest first."""
    start = window.from_day
    while start < window.to_day:
        end = min(start + timedelta(days=days), window.to_day)
        yield replace(window, from_day=start, to_day=end)
        start = end


def in_chunks(items: list[Any], size: int) -> Iterator[list[Any]]:
    """`items`, at most `size` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


# Failures --------------------------------------------------------------------------------------------------------


def _diagnose_by_status(answer: Answer) -> Diagnosis | None:
    """What a status means when the vendor's body says nothing its connector knows."""
    status = answer.status
    kind = answer.headers.get("content-type", "no content type").split(";")[0]
    what = f"HTTP {status} with {len(answer.body)} bytes of {kind}"
    if 200 <= status < 300:
        if answer.parsed is None:
            return Diagnosis(Unavailable, f"{what} that is not complete: cut short, or an HTML page")
        return None
    if status == 401:
        return Diagnosis(TokenExpired, what)
    if status == 429:
        return Diagnosis(Throttled, what, wait_seconds=retry_after(answer))
    if status == 414:
        return Diagnosis(LongUrl, what)
    if status in (404, 410, 426):
        return Diagnosis(
            Refused, what, advice="Check the base URL and the version in the connection: it may be sunset."
        )
    if 300 <= status < 400:
        return Diagnosis(Refused, what, advice="The base URL is redirected: write the final one into the connection.")
    if status >= 500 or status == 408:
        return Diagnosis(Unavailable, what, wait_seconds=retry_after(answer))
    if answer.parsed is None:
        return Diagnosis(Unavailable, f"{what}, where JSON was expected")
    return Diagnosis(Refused, what)


def _diagnose_archive(answer: Answer) -> Diagnosis | None:
    """Storage refuses in HTML or XML what a vendor would refuse in JSON: the address is dead."""
    if answer.status in (400, 401, 403, 404, 410):
        return Diagnosis(Refused, f"HTTP {answer.status} for a file", advice="Nothing if it passes: addresses expire.")
    return None


def _diagnose_shape(request: Request, answer: Answer) -> Diagnosis | None:
    found = value_at(answer.parsed, request.expects) if request.expects else None
    if request.expects and not isinstance(found, list):
        return Diagnosis(Unavailable, f"HTTP {answer.status} without the list {request.expects!r} that was asked for")
    if request.full_at is not None and isinstance(found, list) and len(found) >= request.full_at:
        return Diagnosis(TooMuchData, f"a full answer of {len(found)} elements, cut by the vendor without an error")
    if request.lacks and (missing := request.lacks(request, answer.parsed)):
        return Diagnosis(Unavailable, f"HTTP {answer.status} {missing}")
    return None


def retry_after(answer: Answer) -> float | None:
    """The seconds of a Retry-After header; dates, which none of these vendors sends, count as silence."""
    value = answer.headers.get("retry-after", "")
    return float(value) if re.fullmatch(r"\d+(\.\d+)?", value) else None


def seconds_to_midnight() -> float:
    """Until the next day begins in UTC, which is when daily budgets begin anew; a minute later, to be sure."""
    now = datetime.now(UTC)
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
    return (midnight - now).total_seconds() + 60


def _read_archive(body: bytes) -> dict[str, int] | None:
    """Names and sizes of the files of a ZIP archive, None when it is not whole."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            return None if archive.testzip() else {one.filename: one.file_size for one in archive.infolist()}
    except (zipfile.BadZipFile, EOFError, zlib.error):
        return None


def _spell_out(request: Request) -> Request:
    """A request with a `query` as HTTP sends it: in the address, or as the form of a POST that says it is a GET."""
    if request.query is None:
        return request
    query = "&".join(part for part in (request.query, urlencode(request.params)) if part)
    if not request.in_form:
        return replace(request, path=f"{request.path}?{query}", query=query, params={})
    # Rest.li calls it query tunnelling.
    form = {"Content-Type": "application/x-www-form-urlencoded", "X-HTTP-Method-Override": request.method}
    return replace(request, method="POST", query=query, params={}, headers={**request.headers, **form})


def _read(request: Request, headers: Mapping[str, str], body: bytes) -> Any:
    if request.archive:
        return _read_archive(body)
    return request.reads(headers, body) if request.reads else _parse(body)


def _parse(body: bytes) -> Any:
    try:
        return bodies.read_json(body)
    except bodies.UnreadableBody:
        return None


_BACKOFF = tenacity.wait_exponential_jitter(initial=1, max=60, jitter=1)


def _pause(state: tenacity.RetryCallState) -> float:
    asked = _error_of(state).wait_seconds
    if asked is None:
        return _BACKOFF(state)
    # A vendor that still throttles after the wait it named meant more.
    return asked if state.attempt_number <= BELIEVED_WAITS else max(asked, _BACKOFF(state))


def _is_enough(state: tenacity.RetryCallState) -> bool:
    if isinstance(_error_of(state), Throttled):
        return state.idle_for >= LONGEST_WAITING
    if isinstance(_error_of(state), TimedOut):
        return state.attempt_number >= TIMEOUTS
    return state.attempt_number >= ATTEMPTS


def _log_pause(state: tenacity.RetryCallState) -> None:
    error = _error_of(state)
    log.warning(
        "%s (connection %s) %s at %s: %s; asked again in %.1f s, attempt %d",
        error.source,
        error.connection_id,
        "Unavailable" if isinstance(error, Unavailable) else type(error).__name__,
        error.path,
        error.message,
        state.upcoming_sleep,
        state.attempt_number + 1,
    )


def _error_of(state: tenacity.RetryCallState) -> VendorError:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, VendorError):
        raise TypeError(f"only vendor errors are retried, not {error!r}")
    return error


def _shrink(request: Request, parameter: str | None) -> Request | None:
    """The same question with half the page, None when it is as small as it gets."""
    if parameter is None:
        return None
    variables = (request.json or {}).get("variables")
    if isinstance(variables, dict) and parameter in variables:
        size = int(variables[parameter])
        if size // 2 < SMALLEST_PAGE:
            return None
        return replace(request, json={**(request.json or {}), "variables": {**variables, parameter: size // 2}})
    size = int(request.params.get(parameter, 0))
    if size // 2 < SMALLEST_PAGE:
        return None
    return replace(request, params={**request.params, parameter: size // 2})


def _chain(*iterators: Iterator[Page]) -> Iterator[Page]:
    for iterator in iterators:
        yield from iterator


def _secrets(connection: Connection) -> tuple[str, ...]:
    """Everything of a connection that must not be seen, longest first."""
    values = [connection.password] + [
        value for name, value in connection.extra.items() if isinstance(value, str) and _SECRET_SETTING.search(name)
    ]
    spelled = {spelling for value in values if _is_hidden(value) for spelling in _spellings(value)}
    return tuple(sorted(spelled, key=len, reverse=True))


def _is_hidden(secret: str | None) -> TypeGuard[str]:
    # Short values would blank out ordinary words; no vendor's secret is that short.
    return secret is not None and len(secret) >= 8


def _spellings(secret: str) -> tuple[str, ...]:
    """A secret as it stands in text, in a URL, and in JSON with its slashes escaped."""
    return tuple(dict.fromkeys((secret, quote(secret, safe=""), secret.replace("/", "\\/"))))
