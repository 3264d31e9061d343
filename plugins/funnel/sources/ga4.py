"""GA4: sessions per day, channel group, source, medium, campaign and country, over the Data API's runReport.

One report per property and day: Google flags withheld rows, `(other)` and sampling per report, so a report of one day
flags only that day (VEN-1). Days are days of the property's own time zone.
"""

import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from funnel.contract import Column, Connection, Fetched, Source, Stream, Window
from funnel.rest import auth, bodies, diagnosis, errors, messages, pages
from funnel.rest.accounts import listed, read_each
from funnel.rest.bodies import Misfit
from funnel.rest.client import Client, Dialect, connect
from funnel.rest.errors import UnreadableBody

DEFAULT_VERSION = "v1beta"
DEFAULT_TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
AUDIENCE = "https://analyticsdata.googleapis.com/"
SCOPE = "https://www.googleapis.com/auth/analytics.readonly"
DEFAULT_PAGE_SIZE = 100_000
LARGEST_PAGE_SIZE = 250_000
# A project's hourly tokens for one property. Below a tenth of it the rest is left to other users.
TOKENS_PER_HOUR = 14_000
RESERVE = 0.1
RESERVE_WAIT = 1_800.0
OTHER = "(other)"

DIMENSIONS = (
    "date",
    "sessionDefaultChannelGroup",
    "sessionSource",
    "sessionMedium",
    "sessionCampaignId",
    "sessionCampaignName",
    "countryId",
)
METRICS = ("sessions", "engagedSessions", "totalUsers", "keyEvents")

STREAMS = (
    Stream(
        name="sessions",
        kind="dated",
        key=(
            "property_id",
            "date",
            "channel_group",
            "session_source",
            "session_medium",
            "campaign_id",
            "campaign_name",
            "country_id",
        ),
        day="date",
        account="property_id",
        columns=(
            Column("date", "date", "date", required=True),
            Column("property_id", "text", "property", required=True),
            Column("channel_group", "text", "sessionDefaultChannelGroup", required=True, free_text=True),
            Column("session_source", "text", "sessionSource", required=True, free_text=True),
            Column("session_medium", "text", "sessionMedium", required=True, free_text=True),
            Column("campaign_id", "text", "sessionCampaignId", required=True, free_text=True),
            Column("campaign_name", "text", "sessionCampaignName", required=True, free_text=True),
            Column("country_id", "text", "countryId", required=True, free_text=True),
            Column("sessions", "bigint", "sessions", required=True),
            Column("engaged_sessions", "bigint", "engagedSessions"),
            Column("users", "bigint", "totalUsers"),
            Column("key_events", "numeric", "keyEvents"),
            Column("is_thresholded", "boolean", "metadata.subjectToThresholding"),
            Column("has_other_row", "boolean", "metadata.dataLossFromOtherRow"),
            Column("samplings", "jsonb", "metadata.samplingMetadatas", holds=()),
            Column("truncation_reasons", "jsonb", "metadata.dataTruncationReasons", holds=()),
        ),
        ignored=(
            "metadata.currencyCode",
            "metadata.timeZone",
            "metadata.schemaRestrictionResponse",
            "metadata.emptyReason",
        ),
    ),
    # The Data API has no list of properties, but every report states its property's time zone.
    Stream(
        name="properties",
        kind="changed",
        key=("property_id",),
        account="property_id",
        columns=(
            Column("property_id", "text", "property", required=True),
            Column("time_zone", "text", "metadata.timeZone"),
            Column("currency_code", "text", "metadata.currencyCode"),
        ),
        ignored=("metadata.schemaRestrictionResponse", "metadata.emptyReason"),
    ),
)


def fetch(connection: Connection, stream: Stream, window: Window) -> Iterator[Fetched]:
    """Each property of the connection, day by day. The property's number and the day, which answers lack, are added to
    the body.
    """
    properties = listed("ga4", connection, "property_ids", lambda one: one.removeprefix("properties/"))
    days = window.days if stream.name == "sessions" else window.days[-1:]
    dimensions = DIMENSIONS if stream.name == "sessions" else ()
    with connect(DIALECT, connection) as client:

        def read(property_id: str) -> Iterator[bytes]:
            for day in days:
                request, received = _report(client, property_id, day, dimensions), 0
                for page in pages.read_pages(client, request, _NEXT, page_size_parameter="limit"):
                    yield messages.with_fields(page.body, property=property_id, day=day.isoformat())
                    received += len(page.parsed.get("rows", ()))
                    is_all = received >= (_row_count(page.parsed) or 0)
                    is_last = is_all and (property_id, day) == (properties[-1], days[-1])
                    if _is_running_out(client.connection, page.parsed) and not is_last:
                        message = (
                            "the hour's tokens for this property are nearly used up; the last tenth is left to others"
                        )
                        raise client.fail(errors.QuotaExhausted, message, request, wait_seconds=RESERVE_WAIT)

        yield from read_each(properties, read)


def records(stream: Stream, body: bytes) -> Iterator[Any]:
    """One object per row, its values by the names of the headers. A report without rows has no key `rows`."""
    report = bodies.read_json(body)
    dimensions, metrics = _header(report, "dimensionHeaders"), _header(report, "metricHeaders")
    about = {"property": report.get("property"), "metadata": report.get("metadata") or {}}
    if stream.name == "properties":
        yield about
        return
    rows = bodies.listed(report, "rows", may_be_absent=True)
    report_day = report.get("day") or _other_day(dimensions, rows)
    for row in rows:
        if not isinstance(row, dict):
            yield row
            continue
        named = {**_named(dimensions, row.get("dimensionValues")), **_named(metrics, row.get("metricValues"))}
        if len(named) < len(dimensions) + len(metrics):
            yield Misfit("the row has not one value for each header of the report", row)
            continue
        others = {name: value for name, value in row.items() if name not in ("dimensionValues", "metricValues")}
        day = _iso(named.get("date"))
        # Google writes (other) into every dimension of rows that it has combined, including the day.
        yield {**others, **about, **named, "date": report_day if day == OTHER else day}


def _named(names: list[str], cells: Any) -> dict[str, Any]:
    """The values by the names of their headers; empty if their numbers differ."""
    if not isinstance(cells, list) or len(cells) != len(names):
        return {}
    return {
        name: cell.get("value") if isinstance(cell, dict) else cell for name, cell in zip(names, cells, strict=True)
    }


def _other_day(dimensions: list[Any], rows: Any) -> Any:
    """The day of a body that was landed before the day was added to bodies: that of any of its rows."""
    days = (_iso(_named(dimensions, row.get("dimensionValues")).get("date")) for row in rows if isinstance(row, dict))
    return next((day for day in days if day != OTHER), OTHER)


def _header(report: Any, name: str) -> list[str]:
    """The names of a report's columns. Raises UnreadableBody for a name that is not text or occurs twice."""
    names = [messages.value_at(header, "name") for header in bodies.listed(report, name, may_be_absent=True)]
    strange = [each for each in names if not isinstance(each, str)]
    if strange:
        raise UnreadableBody(f"names {bodies.kind(strange[0])} where `{name}` names a column")
    return bodies.named_once(names)


def _iso(day: Any) -> Any:
    """20261101 as 2026-11-01; any other value unchanged, for the load to handle."""
    return f"{day[:4]}-{day[4:6]}-{day[6:]}" if isinstance(day, str) and len(day) == 8 and day.isdigit() else day


def _report(client: Client, property_id: str, day: date, dimensions: tuple[str, ...]) -> messages.Request:
    extra = client.connection.extra
    return messages.Request(
        "POST",
        f"/{extra.get('version', DEFAULT_VERSION)}/properties/{property_id}:runReport",
        json={
            "dateRanges": [{"startDate": day.isoformat(), "endDate": day.isoformat()}],
            "dimensions": [{"name": name} for name in dimensions],
            "metrics": [{"name": name} for name in METRICS],
            # Pages of an unordered report may repeat and leave out rows.
            "orderBys": [{"dimension": {"dimensionName": name}} for name in dimensions],
            "limit": str(min(int(extra.get("page_size", DEFAULT_PAGE_SIZE)), LARGEST_PAGE_SIZE)),
            "offset": "0",
            "returnPropertyQuota": True,
        },
        lacks=_lacks,
    )


_NEXT = pages.by_offset("rowCount")


def _row_count(parsed: Any) -> int | None:
    """The number of rows of the whole report; None if it is not a number."""
    count = str(messages.value_at(parsed, "rowCount") or 0)
    return int(count) if re.fullmatch(r"[0-9]{1,15}", count) else None


def _lacks(request: messages.Request, parsed: Any) -> str | None:
    """What a page lacks: rowCount counts the whole report, so the number of rows of every page is known."""
    asked, in_all = dict(request.json or {}), _row_count(parsed)
    rows = parsed.get("rows", []) if isinstance(parsed, dict) else None
    if in_all is None or not isinstance(rows, list):
        return "without a readable rowCount or list of rows"
    due = max(0, min(int(asked["limit"]), in_all - int(asked["offset"])))
    return f"with {len(rows)} rows where {due} of {in_all} were due" if len(rows) < due else None


def _is_running_out(connection: Connection, parsed: Any) -> bool:
    remaining = messages.value_at(parsed, "propertyQuota.tokensPerProjectPerHour.remaining")
    allowed = float(connection.extra.get("tokens_per_hour", TOKENS_PER_HOUR))
    return isinstance(remaining, int) and remaining < RESERVE * allowed


# Service accounts -------------------------------------------------------------------------------------------------


def _sign(connection: Connection, token: str, request: messages.Request) -> messages.Request:
    return replace(request, headers={**request.headers, "Authorization": f"Bearer {token}"})


def _log_in(client: Client) -> auth.Token:
    """A token that the service account signs itself, or one that it receives for a signed assertion."""
    connection = client.connection
    grant = connection.extra.get("grant_type", "self-signed")
    if grant == "self-signed":
        return auth.Token(_signed(connection, {"aud": AUDIENCE}), expires_in=3600, is_fetched=False)
    if grant not in ("jwt-bearer", "urn:ietf:params:oauth:grant-type:jwt-bearer"):
        advice = "Write self-signed or jwt-bearer into grant_type in the connection's extra."
        raise errors.refuse("ga4", connection, f"grant_type {grant!r} is not known", advice)
    token_url = connection.extra.get("token_url", DEFAULT_TOKEN_URL)
    assertion = _signed(connection, {"aud": token_url, "scope": SCOPE})
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
    answer = client.ask_for_token(messages.Request("POST", token_url, form=form))
    return auth.token_of(answer)


def _signed(connection: Connection, claims: dict[str, Any]) -> str:
    import jwt

    email, key, key_id = _key(connection)
    now = datetime.now(UTC)
    # jti: without it two tokens of the same second would be equal, even after the first was revoked.
    identity = {"iss": email, "sub": email, "iat": now, "exp": now + timedelta(hours=1), "jti": uuid.uuid4().hex}
    try:
        return jwt.encode({**identity, **claims}, key, algorithm="RS256", headers={"kid": key_id} if key_id else None)
    except (ValueError, TypeError, jwt.PyJWTError):
        # Not chained: these messages may quote the key.
        advice = "Write the private_key of the service account's key file, line ends included, into password."
        raise errors.refuse("ga4", connection, "the private key is not readable", advice) from None


def _key(connection: Connection) -> tuple[str, str, str | None]:
    """(e-mail, private key, its id) of the service account: from the connection, or from the key file it names."""
    key_file = connection.extra.get("key_file")
    if key_file:
        try:
            stored = orjson.loads(Path(key_file).read_bytes())
            return stored["client_email"], stored["private_key"], stored.get("private_key_id")
        except (OSError, ValueError, KeyError, TypeError):
            message = f"key_file {key_file} is not the readable JSON key of a service account"
            advice = "Write the path of the key file as Google Cloud gave it."
            raise errors.refuse("ga4", connection, message, advice) from None
    if not connection.login or not connection.password:
        advice = "Write client_email into login and private_key into password, or the key file's path into key_file."
        raise errors.refuse("ga4", connection, "the connection lacks its service account", advice)
    key_id = connection.extra.get("private_key_id")
    return connection.login, connection.password.replace("\\n", "\n"), str(key_id) if key_id else None


# Failures ---------------------------------------------------------------------------------------------------------

_ADVICE = {
    "PERMISSION_DENIED": (
        "Add the service account's e-mail as a Viewer of the property, and enable the Google Analytics Data API in its "
        "Cloud project."
    ),
    "INVALID_ARGUMENT": "Check property_ids: the number of the property, not its measurement id (G-…).",
    "NOT_FOUND": "Check property_ids and the version in the connection's extra.",
}


def _diagnose(answer: messages.Answer) -> messages.Diagnosis | None:
    body = answer.parsed
    if not isinstance(body, dict):
        return None
    error = body.get("error")
    if isinstance(error, str):
        return _diagnose_login(answer, error, str(body.get("error_description", "")))
    if not isinstance(error, dict):
        is_answer = "access_token" in body or body.get("kind") == "analyticsData#runReport"
        if answer.status < 300 and not is_answer:
            return messages.Diagnosis(errors.Unavailable, f"HTTP {answer.status} that is not a report")
        return None
    state = str(error.get("status", ""))
    message = f"{state}: {error.get('message', 'no message')}".removeprefix(": ")
    if state == "UNAUTHENTICATED" or answer.status == 401:
        return messages.Diagnosis(errors.TokenExpired, message)
    if state == "RESOURCE_EXHAUSTED" or answer.status == 429:
        return _diagnose_quota(answer, message)
    if state in ("INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED") or answer.status >= 500:
        return messages.Diagnosis(errors.Unavailable, message)
    if answer.status < 300:
        return messages.Diagnosis(errors.Unavailable, message)
    is_property = "SERVICE_DISABLED" not in str(error.get("details")) and (
        state in ("PERMISSION_DENIED", "NOT_FOUND") or "property" in message.lower()
    )
    return messages.Diagnosis(
        errors.AccountDenied if is_property else errors.Refused, message, advice=_ADVICE.get(state)
    )


def _diagnose_quota(answer: messages.Answer, message: str) -> messages.Diagnosis:
    """Google names the exhausted quota: concurrent requests recover in seconds, tokens in hours."""
    said = message.lower()
    if "concurrent" in said:
        return messages.Diagnosis(errors.Throttled, message, wait_seconds=diagnosis.retry_after(answer) or 10.0)
    if "per day" in said:
        # The day ends at midnight Pacific time; a retry every few hours costs nothing.
        return messages.Diagnosis(errors.QuotaExhausted, message, wait_seconds=4 * 3600.0)
    return messages.Diagnosis(errors.QuotaExhausted, message, wait_seconds=diagnosis.retry_after(answer) or 3600.0)


def _diagnose_login(answer: messages.Answer, error: str, description: str) -> messages.Diagnosis | None:
    if answer.status >= 500 or answer.status == 429:
        return None
    message = f"{error} {description}".strip()
    if error in ("invalid_grant", "invalid_client", "unauthorized_client"):
        return messages.Diagnosis(
            errors.DeadToken, message, advice="Make a new key for the service account, or look whether it was disabled."
        )
    return messages.Diagnosis(errors.Refused, message)


DIALECT = Dialect("ga4", sign=_sign, diagnose=_diagnose, login=_log_in)

SOURCE = Source(
    name="ga4",
    streams=STREAMS,
    # Sessions are final after 24 to 48 hours; the credit of key events moves for up to 12 days.
    restatement_days=12,
    fetch=fetch,
    records=records,
)
