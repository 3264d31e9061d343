"""Requests to a vendor and its responses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from funnel.rest import bodies
from funnel.rest.errors import VendorError


@dataclass(frozen=True)
class Request:
    """One request. `path` is relative to the vendor's base URL, or absolute for a token endpoint.

    `expects` names the list an answer must hold: without it a 200 is treated as an error, not as an empty page. A list
    of `full_at` elements or more was cut by a vendor that does not report it. `query` is sent unencoded, for vendors
    that read brackets and commas as structure; with `in_form` it is sent in the body of a POST instead. The answer to a
    request with `archive` is a ZIP file and must be complete. For other answers that are not JSON, `reads` converts
    headers and body to what a paginator needs; None means that the answer is incomplete. `lacks` returns what an
    apparently good answer lacks, for vendors that state how much there should be.
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
        """Path without host and query, which may contain secrets."""
        return urlsplit(str(self.path)).path


@dataclass(frozen=True)
class Answer:
    """A response. `parsed` is None if the body is not one complete JSON document."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    parsed: Any


@dataclass(frozen=True)
class Diagnosis:
    """The meaning of a vendor's error: a class of `errors`, the vendor's message and how long to wait."""

    error: type[VendorError]
    message: str
    wait_seconds: float | None = None
    advice: str | None = None


@dataclass(frozen=True)
class Page:
    """One body as received, and parsed."""

    body: bytes
    parsed: Any


def with_fields(body: bytes, **fields: str) -> bytes:
    """A JSON object as received, with fields of the request that the response lacks written before its own fields."""
    # Behind a byte order mark, if there is one.
    rest = body[body.index(b"{") + 1 :].lstrip()
    return bodies.write_json(fields)[:-1] + (rest if rest.startswith(b"}") else b"," + rest)


def value_at(parsed: Any, path: str) -> Any:
    """The value at a dotted path; None if any part of the path is missing."""
    for name in path.split("."):
        if not isinstance(parsed, dict):
            return None
        parsed = parsed.get(name)
    return parsed
