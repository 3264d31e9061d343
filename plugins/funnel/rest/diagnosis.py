"""The meaning of a response by its status and format, for all vendors."""

import io
import re
import ssl
import zipfile
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from funnel.rest import bodies, errors
from funnel.rest.errors import LongUrl, Refused, Throttled, TimedOut, TokenExpired, TooMuchData, Unavailable
from funnel.rest.messages import Answer, Diagnosis, Request, value_at


def diagnose_by_status(answer: Answer) -> Diagnosis | None:
    """The diagnosis by HTTP status, for answers whose body the connector's own diagnosis does not recognise."""
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


def diagnose_archive(answer: Answer) -> Diagnosis | None:
    """The diagnosis of a refused download. Storage answers in HTML or XML instead of JSON: the URL has expired."""
    if answer.status in (400, 401, 403, 404, 410):
        return Diagnosis(Refused, f"HTTP {answer.status} for a file", advice="Nothing if it passes: addresses expire.")
    return None


def diagnose_shape(request: Request, answer: Answer) -> Diagnosis | None:
    """The diagnosis of an answer that lacks the expected list, or is cut or incomplete without an error."""
    found = value_at(answer.parsed, request.expects) if request.expects else None
    if request.expects and not isinstance(found, list):
        return Diagnosis(Unavailable, f"HTTP {answer.status} without the list {request.expects!r} that was asked for")
    if request.full_at is not None and isinstance(found, list) and len(found) >= request.full_at:
        return Diagnosis(TooMuchData, f"a full answer of {len(found)} elements, cut by the vendor without an error")
    if request.lacks and (missing := request.lacks(request, answer.parsed)):
        return Diagnosis(Unavailable, f"HTTP {answer.status} {missing}")
    return None


def retry_after(answer: Answer) -> float | None:
    """The seconds of a Retry-After header; None without it. Dates are ignored: none of these vendors sends them."""
    value = answer.headers.get("retry-after", "")
    return float(value) if re.fullmatch(r"\d+(\.\d+)?", value) else None


def seconds_to_midnight() -> float:
    """Seconds until the next day begins in UTC, when daily budgets are reset, plus one minute."""
    now = datetime.now(UTC)
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
    return (midnight - now).total_seconds() + 60


def _read_archive(body: bytes) -> dict[str, int] | None:
    """Names and sizes of the files of a ZIP archive; None if it is incomplete."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            return None if archive.testzip() else {one.filename: one.file_size for one in archive.infolist()}
    except (zipfile.BadZipFile, EOFError, zlib.error):
        return None


def read(request: Request, headers: Mapping[str, str], body: bytes) -> Any:
    """The parsed body of an answer, in the form that its request expects; None if it is incomplete."""
    if request.archive:
        return _read_archive(body)
    return request.reads(headers, body) if request.reads else parse(body)


def parse(body: bytes) -> Any:
    """The body as JSON; None if it is not one complete document."""
    try:
        return bodies.read_json(body)
    except errors.UnreadableBody:
        return None


def diagnose_transport(error: httpx.HTTPError) -> Diagnosis:
    """The diagnosis of a request without an answer."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Diagnosis(
                Refused,
                f"its TLS certificate is not trusted ({cause.verify_message})",
                advice="Put the path of the CA's certificate into ca_file in the connection's extra.",
            )
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.UnsupportedProtocol):
        return Diagnosis(
            Refused,
            "the base URL has no http:// or https://",
            advice="Write the connection's host with its scheme, for example https://graph.facebook.com.",
        )
    kind = TimedOut if isinstance(error, httpx.ReadTimeout) else Unavailable
    return Diagnosis(kind, f"{type(error).__name__}: {error}")
