"""Salesforce: leads, contacts, accounts, opportunities, their lines and histories, campaigns, activities, users, rates.

`queryAll` also gives deleted and merged records, which `query` hides. Windows are days in UTC over the time of the
last change, or of creation where records never change. Long windows are read by Bulk API 2.0, whose answers are CSV;
where it refuses an object, by REST like the short ones.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from funnel.contract import Column, Connection, Fetched, HomeCurrency, Money, Reconcile, Source, Stream, Window
from funnel.rest import auth, bodies, diagnosis, errors, jobs, messages
from funnel.rest.client import Client, Dialect, connect
from funnel.rest.listing import ids_body, ids_of
from funnel.rest.pages import by_cursor, by_path_of_link, read_halving, read_pages

log = logging.getLogger(__name__)

DEFAULT_VERSION = "v68.0"  # 30.0 and older answer 410
PAGE_SIZE = 2000  # the most; 200 is the least
SMALLEST_PAGE_SIZE = 200
# A bulk query takes seconds to begin and three calls in all; REST takes one for every 2,000 records.
BULK_FROM_DAYS = 31
BULK_PAGE_SIZE = 50_000
# More records than this, or ids, are asked of Bulk when all are read.
ALL_BY_REST = 20_000
# Formula fields change without their record: every so many days all records are read, of objects with not more than …
WHOLE_DAYS = 7
WHOLE_AT_MOST = 50_000


def _sobject(
    name: str,
    key: str,
    columns: tuple[Column, ...],
    *,
    modified: str = "SystemModstamp",
    person: bool = False,
    deletable: bool = True,
    purgeable: bool = True,
    whole_days: int = 0,
    lookups: tuple[str, ...] = (),
    money: Money | None = None,
) -> Stream:
    # Users and currencies are never deleted. Histories end after 18 months: their old rows are gone, but happened.
    deleted = (Column("is_deleted", "boolean", "IsDeleted"),) if deletable else ()
    return Stream(
        name=name,
        kind="changed",
        key=(key,),
        modified="modified_at",
        removed="is_deleted" if deletable else None,
        person=person,
        lookups=lookups,
        reconcile=Reconcile() if deletable and purgeable else None,
        whole_days=whole_days,
        columns=(
            Column(key, "text", "Id", required=True),
            Column("modified_at", "timestamptz", modified, required=True),
            *deleted,
            *columns,
        ),
        ignored=("attributes",),
        money=money,
    )


STREAMS = (
    _sobject(
        "leads",
        "lead_id",
        lookups=("converted_contact_id",),
        person=True,
        columns=(
            Column("created_at", "timestamptz", "CreatedDate"),
            Column("email", "email", "Email"),
            Column("status", "text", "Status"),
            Column("lead_source", "text", "LeadSource"),
            Column("owner_id", "text", "OwnerId"),
            Column("country", "text", "Country"),
            Column("is_converted", "boolean", "IsConverted"),
            Column("converted_contact_id", "text", "ConvertedContactId"),
            Column("converted_account_id", "text", "ConvertedAccountId"),
            Column("converted_opportunity_id", "text", "ConvertedOpportunityId"),
            Column("merged_into_id", "text", "MasterRecordId"),
        ),
    ),
    _sobject(
        "contacts",
        "contact_id",
        person=True,
        columns=(
            Column("created_at", "timestamptz", "CreatedDate"),
            Column("email", "email", "Email"),
            Column("account_id", "text", "AccountId"),
            Column("lead_source", "text", "LeadSource"),
            Column("owner_id", "text", "OwnerId"),
            Column("merged_into_id", "text", "MasterRecordId"),
        ),
    ),
    _sobject(
        "accounts",
        "account_id",
        whole_days=WHOLE_DAYS,
        columns=(
            Column("created_at", "timestamptz", "CreatedDate"),
            Column("account_name", "text", "Name"),
            Column("industry", "text", "Industry"),
            Column("employees", "bigint", "NumberOfEmployees", costs_row=False),
            Column("country", "text", "BillingCountry"),
            Column("website", "text", "Website"),
            Column("merged_into_id", "text", "MasterRecordId"),
        ),
    ),
    _sobject(
        "opportunities",
        "opportunity_id",
        whole_days=WHOLE_DAYS,
        lookups=("primary_contact_id",),
        money=Money("currency_code", ("amount", "list_amount")),
        columns=(
            Column("created_at", "timestamptz", "CreatedDate"),
            Column("account_id", "text", "AccountId"),
            Column("opportunity_type", "text", "Type"),
            Column("lead_source", "text", "LeadSource"),
            Column("stage", "text", "StageName"),
            Column("is_closed", "boolean", "IsClosed"),
            Column("is_won", "boolean", "IsWon"),
            Column("close_date", "date", "CloseDate"),
            Column("amount", "numeric", "Amount"),
            Column("currency_code", "text", "CurrencyIsoCode"),
            Column("list_amount", "numeric", "List_Amount__c"),
            Column("probability", "numeric", "Probability", costs_row=False),
            Column("owner_id", "text", "OwnerId"),
            Column("primary_contact_id", "text", "ContactId"),
        ),
    ),
    _sobject(
        "opportunity_contact_roles",
        "role_id",
        lookups=("opportunity_id", "contact_id"),
        columns=(
            Column("opportunity_id", "text", "OpportunityId"),
            Column("contact_id", "text", "ContactId"),
            Column("is_primary", "boolean", "IsPrimary"),
            Column("created_at", "timestamptz", "CreatedDate"),
        ),
    ),
    _sobject(
        "opportunity_history",
        "history_id",
        purgeable=False,
        lookups=("opportunity_id",),
        columns=(
            Column("opportunity_id", "text", "OpportunityId"),
            Column("stage", "text", "StageName"),
            Column("amount", "numeric", "Amount"),
            Column("probability", "numeric", "Probability", costs_row=False),
            Column("close_date", "date", "CloseDate"),
            Column("created_at", "timestamptz", "CreatedDate"),
            Column("created_by_id", "text", "CreatedById"),
        ),
    ),
    _sobject(
        "lead_history",
        "history_id",
        purgeable=False,
        lookups=("lead_id",),
        modified="CreatedDate",
        columns=(
            Column("lead_id", "text", "LeadId"),
            Column("field", "text", "Field"),
            Column("old_value", "text", "OldValue"),
            Column("new_value", "text", "NewValue"),
            Column("created_at", "timestamptz", "CreatedDate"),
            Column("created_by_id", "text", "CreatedById"),
        ),
    ),
    # What sellers did. Subjects and notes name people and are not read; those of a converted lead move to its contact.
    _sobject(
        "tasks",
        "task_id",
        lookups=("who_id",),
        columns=(
            Column("who_id", "text", "WhoId"),
            Column("what_id", "text", "WhatId"),
            Column("owner_id", "text", "OwnerId"),
            Column("task_subtype", "text", "TaskSubtype"),
            Column("status", "text", "Status"),
            Column("is_closed", "boolean", "IsClosed"),
            Column("completed_at", "timestamptz", "CompletedDateTime"),
            Column("created_at", "timestamptz", "CreatedDate"),
        ),
    ),
    _sobject(
        "events",
        "event_id",
        lookups=("who_id",),
        columns=(
            Column("who_id", "text", "WhoId"),
            Column("what_id", "text", "WhatId"),
            Column("owner_id", "text", "OwnerId"),
            Column("event_subtype", "text", "EventSubtype"),
            Column("starts_at", "timestamptz", "StartDateTime"),
            Column("created_at", "timestamptz", "CreatedDate"),
        ),
    ),
    _sobject(
        "opportunity_line_items",
        "line_item_id",
        lookups=("opportunity_id",),
        columns=(
            Column("opportunity_id", "text", "OpportunityId"),
            Column("product_id", "text", "Product2Id"),
            Column("product_code", "text", "ProductCode"),
            Column("quantity", "numeric", "Quantity"),
            Column("list_price", "numeric", "ListPrice"),
            Column("total_price", "numeric", "TotalPrice"),
            Column("currency_code", "text", "CurrencyIsoCode"),
            Column("created_at", "timestamptz", "CreatedDate"),
        ),
    ),
    _sobject(
        "products",
        "product_id",
        whole_days=WHOLE_DAYS,
        columns=(
            Column("product_code", "text", "ProductCode"),
            Column("product_name", "text", "Name"),
            Column("product_group", "text", "Family"),
            Column("created_at", "timestamptz", "CreatedDate"),
        ),
    ),
    _sobject(
        "campaigns",
        "campaign_id",
        whole_days=WHOLE_DAYS,
        columns=(
            Column("campaign_name", "text", "Name"),
            Column("campaign_type", "text", "Type"),
            Column("status", "text", "Status"),
            Column("start_date", "date", "StartDate"),
            Column("created_at", "timestamptz", "CreatedDate"),
        ),
    ),
    # A converted lead's membership names its contact too.
    _sobject(
        "campaign_members",
        "member_id",
        lookups=("lead_id", "contact_id", "campaign_id"),
        columns=(
            Column("campaign_id", "text", "CampaignId"),
            Column("lead_id", "text", "LeadId"),
            Column("contact_id", "text", "ContactId"),
            Column("status", "text", "Status"),
            Column("has_responded", "boolean", "HasResponded"),
            Column("first_responded_on", "date", "FirstRespondedDate"),
            Column("created_at", "timestamptz", "CreatedDate"),
        ),
    ),
    _sobject(
        "currency_types",
        "currency_type_id",
        deletable=False,
        columns=(
            Column("currency_code", "text", "IsoCode"),
            Column("conversion_rate", "numeric", "ConversionRate"),
            Column("is_corporate", "boolean", "IsCorporate"),
        ),
    ),
    _sobject(
        "currency_rates",
        "rate_id",
        deletable=False,
        columns=(
            Column("currency_code", "text", "IsoCode"),
            Column("conversion_rate", "numeric", "ConversionRate"),
            Column("starts_on", "date", "StartDate"),
            Column("ends_before", "date", "NextStartDate"),
        ),
    ),
    # Users are never deleted, only deactivated: the object has no IsDeleted.
    _sobject(
        "users",
        "user_id",
        whole_days=WHOLE_DAYS,
        deletable=False,
        columns=(
            Column("user_name", "text", "Name"),
            Column("email", "email", "Email"),
            Column("is_active", "boolean", "IsActive"),
            Column("manager_id", "text", "ManagerId"),
            Column("team", "text", "Department"),
            Column("region", "text", "Division"),
        ),
    ),
)

_OBJECTS = {
    "leads": "Lead",
    "contacts": "Contact",
    "accounts": "Account",
    "opportunities": "Opportunity",
    "opportunity_contact_roles": "OpportunityContactRole",
    "opportunity_history": "OpportunityHistory",
    "lead_history": "LeadHistory",
    "tasks": "Task",
    "events": "Event",
    "opportunity_line_items": "OpportunityLineItem",
    "products": "Product2",
    "campaigns": "Campaign",
    "campaign_members": "CampaignMember",
    "currency_types": "CurrencyType",
    "currency_rates": "DatedConversionRate",
    "users": "User",
}
# Exist in organisations with several currencies only, dated rates where advanced currency management is on.
_MULTI_CURRENCY = {"currency_types", "currency_rates"}
# What an org may not use, and the integration user not see: left out where the connection says false.
_OPTIONAL = {
    **dict.fromkeys(("opportunity_line_items", "products"), "products"),
    **dict.fromkeys(("campaigns", "campaign_members"), "campaigns"),
}
# CurrencyIsoCode exists in multi-currency orgs only, List_Amount__c where the org made it. Any other field that is
# missing is a missing permission, and nulls in its place would be wrong numbers.
_OPTIONAL_FIELDS = {"CurrencyIsoCode", "List_Amount__c"}
# Histories of other fields hold old names, phones and addresses of people.
_CONDITIONS = {"lead_history": "Field IN ('created', 'leadConverted', 'leadMerged', 'Owner', 'Status')"}


def fetch(connection: Connection, stream: Stream, window: Window) -> Iterator[Fetched]:
    """One org. Raises RestartWindow when Salesforce drops its cursor in the middle of the pages."""
    if not connection.extra.get(_OPTIONAL.get(stream.name, ""), True):
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
            lacking |= _lacking_fields(client, f"{path}/sobjects/{_OBJECTS[stream.name]}/describe", stream)
            if not lacking:
                raise
            for page in read_all():
                yield page.body
        except errors.Refused as refused:
            if stream.name not in _MULTI_CURRENCY or not refused.message.startswith("INVALID_TYPE"):
                raise
            log.info("salesforce: the organisation has no %s, and so one currency or no dated rates", stream.name)


def _reach(client: Client, path: str, stream: Stream, window: Window) -> tuple[Window, bool]:
    """What is read, and whether it is long enough for Bulk; an object of too many records is not read whole."""
    extra = client.connection.extra
    if window.whole:
        query = f"SELECT COUNT() FROM {_OBJECTS[stream.name]}"  # noqa: S608 - SOQL of declared names
        request = messages.Request("GET", f"{path}/queryAll/", expects="records", params={"q": query})
        found, at_most = client.ask(request).parsed["totalSize"], int(extra.get("whole_at_most", WHOLE_AT_MOST))
        if found <= at_most:
            return window, found > ALL_BY_REST
        log.warning("salesforce: %d %s are more than %d and are not read whole", found, stream.name, at_most)
        window = replace(window, whole=False)
    return window, len(window.days) >= int(extra.get("bulk_from_days", BULK_FROM_DAYS))


def list_ids(connection: Connection, stream: Stream, _: Window) -> Iterator[bytes]:
    """The ids of all records, those in the recycle bin included: what is deleted for good is in no other answer."""
    if not connection.extra.get(_OPTIONAL.get(stream.name, ""), True):
        return
    path = f"/services/data/{connection.extra.get('version', DEFAULT_VERSION)}"
    query = f"SELECT Id FROM {_OBJECTS[stream.name]}"  # noqa: S608 - SOQL of declared names
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
    """What an organisation with several currencies says is its own; a setting `currency` must not say otherwise.

    One with a single currency says it nowhere in REST: there the setting alone counts (checked 2026-11-30).
    """
    if stream.name == "currency_types":
        for record in records(stream, body):
            code = messages.value_at(record, "IsoCode")
            if messages.value_at(record, "IsCorporate") in (True, "true") and isinstance(code, str):
                yield HomeCurrency(code)


def records(stream: Stream, body: bytes) -> Iterator[Any]:
    """The records of one page: JSON of REST, or CSV of Bulk, which writes nothing for null."""
    if body.startswith(b"{"):
        yield from bodies.listed(bodies.read_json(body), "records")
    else:
        yield from bodies.read_csv(body)


# Bulk API 2.0 -------------------------------------------------------------------------------------------------------


def _submit(client: Client, path: str, query: str) -> str | None:
    """Id of a bulk query that was taken on; None where Bulk does not serve the object or the org."""
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
    """What the headers say of a page of results; None when the body holds another number of records."""
    try:
        due = int(headers["Sforce-NumberOfRecords"])
        found = list(bodies.read_csv(body))
    except (KeyError, ValueError):
        return None
    is_cut = bool(found) and isinstance(found[-1], bodies.Misfit)
    locator = headers.get("Sforce-Locator", "null")
    if is_cut or len(found) != due:
        return None
    return {"records": due, "locator": None if locator == "null" else locator}


# Queries ------------------------------------------------------------------------------------------------------------


def _query(stream: Stream, window: Window, lacking: set[str]) -> str:
    # dict: a field may fill two columns, a query names it once.
    fields = dict.fromkeys(column.path for column in stream.columns if column.path not in lacking)
    changed = next(column.path for column in stream.columns if column.name == stream.modified)
    conditions = [] if window.whole else [f"{changed} >= {window.from_day}T00:00:00Z"]
    if not (window.until_now or window.whole):
        conditions.append(f"{changed} < {window.to_day}T00:00:00Z")
    if stream.name in _CONDITIONS:
        conditions.append(_CONDITIONS[stream.name])
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    # SOQL of declared names and dates; nothing comes from outside.
    return f"SELECT {', '.join(fields)} FROM {_OBJECTS[stream.name]}{where}"  # noqa: S608


def _lacking_fields(client: Client, path: str, stream: Stream) -> set[str]:
    """Optional fields of the stream that the object, as described to this user, does not have."""
    described = client.ask(messages.Request("GET", path, expects="fields")).parsed
    present = {described_field["name"] for described_field in described["fields"]}
    declared = {column.path for column in stream.columns}
    return (declared & _OPTIONAL_FIELDS) - present


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
    # Salesforce does not say how long a session holds; the org's session settings do.
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
        "exp": datetime.now(UTC) + timedelta(minutes=3),  # the most Salesforce takes
    }
    try:
        return jwt.encode(claims, key, algorithm="RS256")
    except (ValueError, jwt.PyJWTError):
        # Not chained: these messages may quote the key.
        advice = "Write an RSA private key in PEM form, whose certificate the app knows."
        raise errors.refuse("salesforce", connection, "private_key is not readable", advice) from None


_ADVICE = {
    "INVALID_FIELD": "Give the integration user read access to this field (field-level security).",
    "INVALID_TYPE": "Give the integration user read access to this object.",
    "API_DISABLED_FOR_ORG": "Use an edition with API access, or give the user 'API Enabled'.",
    "TXN_SECURITY_METERING_ERROR": "Relax the transaction security policy that stops the integration user.",
    "UNSUPPORTED_API_VERSION": 'Set a live version in the connection\'s extra, for example {"version": "v68.0"}.',
}


def _diagnose(answer: messages.Answer) -> messages.Diagnosis | None:
    body = answer.parsed
    if isinstance(body, dict) and isinstance(body.get("error"), str):
        return _diagnose_login(answer, body["error"], str(body.get("error_description", "")))
    if not (isinstance(body, list) and body and isinstance(body[0], dict) and "errorCode" in body[0]):
        return None
    code = str(body[0]["errorCode"])
    message = f"{code}: {body[0].get('message', 'no message')}"
    if code == "INVALID_SESSION_ID" or answer.status == 401:
        return messages.Diagnosis(errors.TokenExpired, message)
    if code == "REQUEST_LIMIT_EXCEEDED":
        if "concurrent" in message.lower():
            return messages.Diagnosis(errors.Throttled, message, wait_seconds=30.0)
        # A budget of 24 rolling hours: in one hour a part of it is back.
        return messages.Diagnosis(errors.QuotaExhausted, message, wait_seconds=3600.0)
    if code in ("INVALID_QUERY_LOCATOR", "INVALID_LOCATOR"):
        return messages.Diagnosis(errors.RestartWindow, message)
    if code in ("QUERY_TIMEOUT", "OPERATION_TOO_LARGE"):
        return messages.Diagnosis(errors.TooMuchData, message)
    if code == "INVALID_FIELD":
        return messages.Diagnosis(errors.UnknownField, message, advice=_ADVICE[code])
    if code in ("SERVER_UNAVAILABLE", "UNKNOWN_EXCEPTION", "UNABLE_TO_LOCK_ROW") or answer.status >= 500:
        return messages.Diagnosis(errors.Unavailable, message, wait_seconds=diagnosis.retry_after(answer))
    if answer.status < 300:
        return messages.Diagnosis(errors.Unavailable, message)
    return messages.Diagnosis(errors.Refused, message, advice=_ADVICE.get(code))


def _diagnose_login(answer: messages.Answer, error: str, description: str) -> messages.Diagnosis | None:
    message = f"{error} {description}".strip()
    if "login rate exceeded" in description:
        return messages.Diagnosis(errors.Throttled, message, wait_seconds=60.0)
    if answer.status >= 500 or error in ("server_error", "temporarily_unavailable"):
        return messages.Diagnosis(errors.Unavailable, message)
    if error in ("invalid_grant", "invalid_client", "invalid_client_id", "inactive_user", "inactive_org"):
        return messages.Diagnosis(
            errors.DeadToken,
            message,
            advice="Check the app's client id, secret and run-as user, and that the app is approved for that user.",
        )
    return messages.Diagnosis(errors.Refused, message)


DIALECT = Dialect("salesforce", sign=_sign, diagnose=_diagnose, login=_log_in)

SOURCE = Source(
    name="salesforce",
    streams=STREAMS,
    # Salesforce restates nothing; a record saved by a transaction that was open over midnight carries a time of the
    # day before, so a day more is read.
    restatement_days=1,
    fetch=fetch,
    records=records,
    list_ids=list_ids,
    envelope="records",
    owner="sales operations",
)
