"""Requests to Salesforce: REST for short windows, Bulk jobs for long ones."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from funnel.contract import Connection, Fetched, HomeCurrency, Stream, Window
from funnel.rest import auth, bodies, errors, jobs, messages
from funnel.rest.bodies import Misfit
from funnel.rest.client import Client, Dialect, connect
from funnel.rest.listing import ids_body, ids_of
from funnel.rest.pages import by_cursor, by_path_of_link, read_halving, read_pages
from funnel.sources.salesforce.errors import diagnose
from funnel.sources.salesforce.streams import CONDITIONS, MULTI_CURRENCY, OBJECTS, OPTIONAL, OPTIONAL_FIELDS

log = logging.getLogger(__name__)


DEFAULT_VERSION = "v68.0"  # 30.0 and older answer 410


PAGE_SIZE = 2000  # Salesforce's maximum; the minimum is 200


SMALLEST_PAGE_SIZE = 200


# A bulk query takes seconds to begin and three calls in all; REST takes one for every 2,000 records.
BULK_FROM_DAYS = 31


BULK_PAGE_SIZE = 50_000


# If more records or ids than this are read whole, Bulk is used.
ALL_BY_REST = 20_000


WHOLE_AT_MOST = 50_000


def fetch(connection: Connection, stream: Stream, window: Window) -> Iterator[Fetched]:
    """One org. Raises RestartWindow if Salesforce drops its cursor in the middle of the pages."""
    if not connection.extra.get(OPTIONAL.get(stream.name, ""), True):
        return
    page_size = max(SMALLEST_PAGE_SIZE, min(int(connection.extra.get("page_size", PAGE_SIZE)), PAGE_SIZE))
    options = {"Sforce-Query-Options": f"batchSize={page_size}"}
    path = f"/services/data/{connection.extra.get('version', DEFAULT_VERSION)}"
    with connect(DIALECT, connection) as client:
        lacking: set[str] = set()
        window, is_long = _reach(client, path, stream, window)

        def read(part: Window) -> Iterator[messages.Page]:
            request = messages.Request(
                "GET",
                f"{path}/queryAll/",
                expects="records",
                params={"q": _query(stream, part, lacking)},
                headers=options,
            )
            return read_pages(client, request, by_path_of_link("nextRecordsUrl"))

        def read_all() -> Iterator[messages.Page]:
            if is_long:
                job = _submit(client, path, _query(stream, window, lacking))
                if job is not None:
                    return _results(client, f"{path}/jobs/query/{job}", connection)
            return read(window) if window.whole else read_halving(window, read)

        try:
            for page in read_all():
                yield page.body
                yield from _corporate_currency(stream, page.body)
        except errors.UnknownField:
            # A query is refused before its first page, so nothing was yielded yet.
            lacking |= _lacking_fields(client, f"{path}/sobjects/{OBJECTS[stream.name]}/describe", stream)
            if not lacking:
                raise
            for page in read_all():
                yield page.body
        except errors.Refused as refused:
            if stream.name not in MULTI_CURRENCY or not refused.message.startswith("INVALID_TYPE"):
                raise
            log.info("salesforce: the organisation has no %s, and so one currency or no dated rates", stream.name)


def _reach(client: Client, path: str, stream: Stream, window: Window) -> tuple[Window, bool]:
    """The window to read, and whether it is long enough for Bulk; an object with too many records is not read whole."""
    extra = client.connection.extra
    if window.whole:
        query = f"SELECT COUNT() FROM {OBJECTS[stream.name]}"  # noqa: S608 - SOQL of declared names
        request = messages.Request("GET", f"{path}/queryAll/", expects="records", params={"q": query})
        found, at_most = client.ask(request).parsed["totalSize"], int(extra.get("whole_at_most", WHOLE_AT_MOST))
        if found <= at_most:
            return window, found > ALL_BY_REST
        log.warning("salesforce: %d %s are more than %d and are not read whole", found, stream.name, at_most)
        window = replace(window, whole=False)
    return window, len(window.days) >= int(extra.get("bulk_from_days", BULK_FROM_DAYS))


def list_ids(connection: Connection, stream: Stream, _: Window) -> Iterator[bytes]:
    """The ids of all records, including those in the recycle bin: permanently deleted records are in no
    other answer.
    """
    if not connection.extra.get(OPTIONAL.get(stream.name, ""), True):
        return
    path = f"/services/data/{connection.extra.get('version', DEFAULT_VERSION)}"
    query = f"SELECT Id FROM {OBJECTS[stream.name]}"  # noqa: S608 - SOQL of declared names
    with connect(DIALECT, connection) as client:
        headers = {"Sforce-Query-Options": f"batchSize={PAGE_SIZE}"}
        request = messages.Request("GET", f"{path}/queryAll/", expects="records", params={"q": query}, headers=headers)
        pages = read_pages(client, request, by_path_of_link("nextRecordsUrl"))
        first = next(pages)
        if first.parsed.get("totalSize", 0) > ALL_BY_REST and (job := _submit(client, path, query)):
            pages = _results(client, f"{path}/jobs/query/{job}", connection)
        else:
            yield ids_body(ids_of(client, request, records(stream, first.body), "Id"))
        for page in pages:
            yield ids_body(ids_of(client, request, records(stream, page.body), "Id"))


def _corporate_currency(stream: Stream, body: bytes) -> Iterator[HomeCurrency]:
    """The corporate currency of an organisation with several currencies; a setting `currency` must not contradict it.

    REST does not return the currency of an organisation with a single one: the setting is used (checked 2026-11-30).
    """
    if stream.name == "currency_types":
        for record in records(stream, body):
            code = messages.value_at(record, "IsoCode")
            if messages.value_at(record, "IsCorporate") in (True, "true") and isinstance(code, str):
                yield HomeCurrency(code)


def records(stream: Stream, body: bytes) -> Iterator[Any]:
    """The records of one page: JSON of REST, or CSV of Bulk, in which null is empty."""
    if body.startswith(b"{"):
        yield from bodies.listed(bodies.read_json(body), "records")
    else:
        yield from bodies.read_csv(body)


def _submit(client: Client, path: str, query: str) -> str | None:
    """Id of an accepted bulk query; None if Bulk does not support the object or the org."""
    request = messages.Request("POST", f"{path}/jobs/query", json={"operation": "queryAll", "query": query})
    try:
        return str(client.ask(request).parsed["id"])
    except errors.UnknownField:
        raise
    except errors.Refused as refused:
        log.info("Bulk API does not serve this, read by REST: %s", refused)
        return None


def _results(client: Client, path: str, connection: Connection) -> Iterator[messages.Page]:
    done = jobs.await_job(client, messages.Request("GET", path), lambda parsed: parsed.get("state") in _ENDED).parsed
    if done["state"] != "JobComplete":
        message = f"the bulk query ended as {done['state']}: {done.get('errorMessage') or 'no reason given'}"
        raise client.fail(errors.RestartWindow, message, messages.Request("GET", path))
    size = int(connection.extra.get("bulk_page_size", BULK_PAGE_SIZE))
    request = messages.Request("GET", f"{path}/results", params={"maxRecords": size}, reads=_read_results)
    for page in read_pages(client, request, by_cursor("locator", "locator")):
        if page.body.strip():
            yield page


_ENDED = ("JobComplete", "Failed", "Aborted")


def _read_results(headers: Mapping[str, str], body: bytes) -> dict[str, Any] | None:
    """The headers of a page of results; None if the body holds another number of records than they state."""
    try:
        due = int(headers["Sforce-NumberOfRecords"])
        found = list(bodies.read_csv(body))
    except (KeyError, ValueError):
        return None
    is_cut = bool(found) and isinstance(found[-1], Misfit)
    locator = headers.get("Sforce-Locator", "null")
    if is_cut or len(found) != due:
        return None
    return {"records": due, "locator": None if locator == "null" else locator}


def _query(stream: Stream, window: Window, lacking: set[str]) -> str:
    # dict: a field may fill two columns, but is named once in a query.
    fields = dict.fromkeys(column.path for column in stream.columns if column.path not in lacking)
    changed = next(column.path for column in stream.columns if column.name == stream.modified)
    conditions = [] if window.whole else [f"{changed} >= {window.from_day}T00:00:00Z"]
    if not (window.until_now or window.whole):
        conditions.append(f"{changed} < {window.to_day}T00:00:00Z")
    if stream.name in CONDITIONS:
        conditions.append(CONDITIONS[stream.name])
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    # SOQL of declared names and dates; it contains no external input.
    return f"SELECT {', '.join(fields)} FROM {OBJECTS[stream.name]}{where}"  # noqa: S608


def _lacking_fields(client: Client, path: str, stream: Stream) -> set[str]:
    """Optional fields of the stream that the object does not have, as described to this user."""
    described = client.ask(messages.Request("GET", path, expects="fields")).parsed
    present = {described_field["name"] for described_field in described["fields"]}
    declared = {column.path for column in stream.columns}
    return (declared & OPTIONAL_FIELDS) - present


def _sign(connection: Connection, token: str, request: messages.Request) -> messages.Request:
    return replace(request, headers={**request.headers, "Authorization": f"Bearer {token}"})


def _log_in(client: Client) -> auth.Token:
    connection = client.connection
    grant = connection.extra.get("grant_type", "client_credentials")
    form = {"grant_type": grant}
    if grant == "client_credentials":
        form |= {"client_id": connection.login or "", "client_secret": connection.password or ""}
    elif grant == "refresh_token":
        form |= {
            "client_id": connection.login or "",
            "client_secret": connection.password or "",
            "refresh_token": client.refresh_token,
        }
    elif grant in ("jwt-bearer", "urn:ietf:params:oauth:grant-type:jwt-bearer"):
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": _assertion(connection)}
    else:
        advice = "Write client_credentials, refresh_token or jwt-bearer into grant_type in the connection's extra."
        raise errors.refuse("salesforce", connection, f"grant_type {grant!r} is not known", advice)
    token_url = connection.extra.get("token_url") or connection.base_url.rstrip("/") + "/services/oauth2/token"
    answer = client.ask_for_token(messages.Request("POST", token_url, form=form))
    # Salesforce does not state how long a session lives; the org's session settings decide.
    return auth.token_of(answer, base_url=answer.get("instance_url"))


def _assertion(connection: Connection) -> str:
    import jwt

    extra = connection.extra
    key, key_file = extra.get("private_key"), extra.get("private_key_file")
    if key_file and not key:
        try:
            key = Path(key_file).read_text()
        except OSError as error:
            message = f"private_key_file {key_file} cannot be read ({error.strerror})"
            raise errors.refuse("salesforce", connection, message, "Write the path of a PEM file.") from None
    if not key or not extra.get("username"):
        advice = "Write username and private_key or private_key_file into the connection's extra."
        raise errors.refuse("salesforce", connection, "a jwt-bearer login lacks its key or user", advice)
    claims = {
        "iss": connection.login,
        "sub": extra["username"],
        "aud": extra.get("audience", "https://login.salesforce.com"),
        "exp": datetime.now(UTC) + timedelta(minutes=3),  # the most that Salesforce accepts
    }
    try:
        return jwt.encode(claims, key, algorithm="RS256")
    except (ValueError, jwt.PyJWTError):
        # Not chained: these messages may quote the key.
        advice = "Write an RSA private key in PEM form, whose certificate the app knows."
        raise errors.refuse("salesforce", connection, "private_key is not readable", advice) from None


DIALECT = Dialect("salesforce", sign=_sign, diagnose=diagnose, login=_log_in)
