"""Salesforce: tokens, query, queryAll, locators, describe, limits, one record over REST; queries over Bulk API 2.0.

`query` hides deleted records, `queryAll` shows them with IsDeleted; `nextRecordsUrl` says `query` after either. Pages
hold at most 2,000 records. A bulk query is done when it is first asked about; its results are CSV.
"""

from __future__ import annotations

import csv
import io
import time
from itertools import pairwise
from typing import Any

import jwt

from sandbox.clock import moment, salesforce_time
from sandbox.credentials import (
    SALESFORCE_CLIENT_ID,
    SALESFORCE_CLIENT_SECRET,
    SALESFORCE_REFRESH_TOKEN,
    SALESFORCE_SUBJECT,
)
from sandbox.exchange import Answer, Call, Handler, Refusal, World
from sandbox.records import State
from sandbox.soql import InvalidField, Malformed, parse, sort_rows, written

VENDOR = "salesforce"
NEWEST, RETIRED = 68, 30
DAILY_REQUESTS = 15_000
OPEN_CURSORS = 2_000

SYSTEM_FIELDS = {
    "Id": "id",
    "IsDeleted": "boolean",
    "CreatedDate": "datetime",
    "CreatedById": "reference",
    "LastModifiedDate": "datetime",
    "SystemModstamp": "datetime",
}
HISTORY_FIELDS = {"Id": "id", "IsDeleted": "boolean", "CreatedDate": "datetime", "CreatedById": "reference"}
OBJECTS: dict[str, dict[str, str]] = {
    "Account": {
        **SYSTEM_FIELDS,
        "MasterRecordId": "reference",
        "Name": "string",
        "Industry": "picklist",
        "NumberOfEmployees": "int",
        "BillingCountry": "string",
        "Website": "url",
        "OwnerId": "reference",
    },
    "Contact": {
        **SYSTEM_FIELDS,
        "MasterRecordId": "reference",
        "AccountId": "reference",
        "FirstName": "string",
        "LastName": "string",
        "Email": "email",
        "Phone": "phone",
        "LeadSource": "picklist",
        "OwnerId": "reference",
    },
    "Lead": {
        **SYSTEM_FIELDS,
        "MasterRecordId": "reference",
        "FirstName": "string",
        "LastName": "string",
        "Email": "email",
        "Phone": "phone",
        "Company": "string",
        "Country": "string",
        "Status": "picklist",
        "LeadSource": "picklist",
        "OwnerId": "reference",
        "IsConverted": "boolean",
        "ConvertedDate": "date",
        "ConvertedAccountId": "reference",
        "ConvertedContactId": "reference",
        "ConvertedOpportunityId": "reference",
    },
    "Opportunity": {
        **SYSTEM_FIELDS,
        "Name": "string",
        "AccountId": "reference",
        "ContactId": "reference",
        "Type": "picklist",
        "LeadSource": "picklist",
        "StageName": "picklist",
        "IsClosed": "boolean",
        "IsWon": "boolean",
        "CloseDate": "date",
        "Amount": "currency",
        "CurrencyIsoCode": "picklist",
        "List_Amount__c": "currency",
        "Probability": "percent",
        "OwnerId": "reference",
    },
    "OpportunityContactRole": {
        **SYSTEM_FIELDS,
        "OpportunityId": "reference",
        "ContactId": "reference",
        "Role": "picklist",
        "IsPrimary": "boolean",
    },
    "OpportunityHistory": {
        **HISTORY_FIELDS,
        "SystemModstamp": "datetime",
        "OpportunityId": "reference",
        "StageName": "picklist",
        "Amount": "currency",
        "CloseDate": "date",
        "Probability": "percent",
    },
    "LeadHistory": {
        **HISTORY_FIELDS,
        "LeadId": "reference",
        "Field": "picklist",
        "OldValue": "anyType",
        "NewValue": "anyType",
    },
    "Task": {
        **SYSTEM_FIELDS,
        "WhoId": "reference",
        "WhatId": "reference",
        "OwnerId": "reference",
        "Subject": "string",
        "TaskSubtype": "picklist",
        "Status": "picklist",
        "IsClosed": "boolean",
        "CompletedDateTime": "datetime",
        "ActivityDate": "date",
    },
    "Event": {
        **SYSTEM_FIELDS,
        "WhoId": "reference",
        "WhatId": "reference",
        "OwnerId": "reference",
        "Subject": "string",
        "EventSubtype": "picklist",
        "StartDateTime": "datetime",
        "EndDateTime": "datetime",
        "ActivityDate": "date",
    },
    "OpportunityLineItem": {
        **SYSTEM_FIELDS,
        "OpportunityId": "reference",
        "Product2Id": "reference",
        "ProductCode": "string",
        "Quantity": "double",
        "ListPrice": "currency",
        "UnitPrice": "currency",
        "TotalPrice": "currency",
        "CurrencyIsoCode": "picklist",
    },
    "Product2": {
        **SYSTEM_FIELDS,
        "Name": "string",
        "ProductCode": "string",
        "Family": "picklist",
        "IsActive": "boolean",
    },
    "Campaign": {
        **SYSTEM_FIELDS,
        "Name": "string",
        "Type": "picklist",
        "Status": "picklist",
        "IsActive": "boolean",
        "StartDate": "date",
        "OwnerId": "reference",
    },
    "CampaignMember": {
        **SYSTEM_FIELDS,
        "CampaignId": "reference",
        "LeadId": "reference",
        "ContactId": "reference",
        "Status": "picklist",
        "HasResponded": "boolean",
        "FirstRespondedDate": "date",
    },
    # Exist in organisations with several currencies, dated rates only with advanced currency management.
    "CurrencyType": {
        **{name: kind for name, kind in SYSTEM_FIELDS.items() if name != "IsDeleted"},
        "IsoCode": "picklist",
        "ConversionRate": "double",
        "IsCorporate": "boolean",
        "IsActive": "boolean",
    },
    "DatedConversionRate": {
        **{name: kind for name, kind in SYSTEM_FIELDS.items() if name != "IsDeleted"},
        "IsoCode": "picklist",
        "ConversionRate": "double",
        "StartDate": "date",
        "NextStartDate": "date",
    },
    "User": {
        **{name: kind for name, kind in SYSTEM_FIELDS.items() if name != "IsDeleted"},
        "Name": "string",
        "Email": "email",
        "IsActive": "boolean",
        "ManagerId": "reference",
        "Department": "string",
        "Division": "string",
    },
}
KEY_PREFIXES = {
    "Account": "001",
    "Contact": "003",
    "Lead": "00Q",
    "Opportunity": "006",
    "OpportunityContactRole": "00K",
    "OpportunityHistory": "008",
    "LeadHistory": "017",
    "Task": "00T",
    "Event": "00U",
    "OpportunityLineItem": "00k",
    "Product2": "01t",
    "Campaign": "701",
    "CampaignMember": "00v",
    "CurrencyType": "01L",
    "DatedConversionRate": "04w",
    "User": "005",
}
MULTI_CURRENCY = ("CurrencyType", "DatedConversionRate")


# --- errors and authentication --------------------------------------------------------------------------------------


def error(status: int, code: str, message: str) -> Answer:
    return Answer([{"message": message, "errorCode": code}], status)


def _refuse(status: int, code: str, message: str) -> Refusal:
    return Refusal(error(status, code, message))


def give_token(world: World, call: Call, _: dict[str, str]) -> Answer:
    """POST /services/oauth2/token: client_credentials (Basic or form), refresh_token, jwt-bearer."""
    form = call.form
    grant = form.get("grant_type")
    client = call.basic or (form.get("client_id"), form.get("client_secret"))
    if grant == "client_credentials":
        if client != (SALESFORCE_CLIENT_ID, SALESFORCE_CLIENT_SECRET):
            return Answer({"error": "invalid_client", "error_description": "invalid client credentials"}, 400)
    elif grant == "refresh_token":
        if form.get("client_id", client[0]) != SALESFORCE_CLIENT_ID:
            return Answer({"error": "invalid_client_id", "error_description": "client identifier invalid"}, 400)
        if form.get("refresh_token") != SALESFORCE_REFRESH_TOKEN:
            return Answer({"error": "invalid_grant", "error_description": "expired access/refresh token"}, 400)
    elif grant == "urn:ietf:params:oauth:grant-type:jwt-bearer":
        if refusal := _check_assertion(form.get("assertion", "")):
            return Answer({"error": "invalid_grant", "error_description": refusal}, 400)
    else:
        return Answer({"error": "unsupported_grant_type", "error_description": "grant type not supported"}, 400)
    return Answer(
        {
            "access_token": world.issue_token(VENDOR, "00DKx0000000001!sandbox"),
            "signature": "c2FuZGJveA==",
            "scope": "api refresh_token",
            "instance_url": call.base_url,
            "id": f"{call.base_url}/id/00DKx0000000001MAA/005Kx0000000001IAA",
            "token_type": "Bearer",
            "issued_at": str(int(time.time() * 1000)),
        }
    )


def _check_assertion(assertion: str) -> str | None:
    """What is wrong with a JWT. Its signature is not checked: any key counts as the company's."""
    try:
        header = jwt.get_unverified_header(assertion)
        claims = jwt.decode(assertion, options={"verify_signature": False, "verify_exp": True, "verify_aud": False})
    except jwt.PyJWTError as problem:
        return f"invalid assertion: {problem}"
    if header.get("alg") != "RS256":
        return "invalid assertion: algorithm must be RS256"
    if claims.get("iss") != SALESFORCE_CLIENT_ID:
        return "invalid assertion: unknown issuer"
    if claims.get("sub") != SALESFORCE_SUBJECT:
        return "user hasn't approved this consumer"
    if not claims.get("aud") or "exp" not in claims:
        return "audience is invalid"
    return None


def _authorize(world: World, call: Call, parts: dict[str, str]) -> str:
    """The API version of the path, once the session is found valid."""
    version = parts["version"]
    number = float(version)
    if number <= RETIRED and not world.settings.accept_sunset_versions:
        raise Refusal(
            error(
                410,
                "UNSUPPORTED_API_VERSION",
                f"The requested version {version} is no longer available; use a newer one",
            )
        )
    if number > NEWEST or number != int(number):
        raise _refuse(404, "NOT_FOUND", "The requested resource does not exist")
    if call.bearer is None or not world.knows_token(VENDOR, call.bearer):
        raise _refuse(401, "INVALID_SESSION_ID", "Session expired or invalid")
    return version


def _answer(world: World, payload: Any, status: int = 200) -> Answer:
    used = world.number("salesforce request")
    return Answer(payload, status, {"Sforce-Limit-Info": f"api-usage={used}/{DAILY_REQUESTS}"})


# --- rows -----------------------------------------------------------------------------------------------------------


def _types(sobject: str) -> dict[str, str]:
    for name, fields in OBJECTS.items():
        if name.lower() == sobject.lower():
            return fields
    raise KeyError(sobject)


def _spelled(sobject: str) -> str:
    return next(name for name in OBJECTS if name.lower() == sobject.lower())


def _row(sobject: str, state: State) -> dict[str, Any]:
    """Every field of a record in Python's own types."""
    row = dict.fromkeys(OBJECTS[sobject])
    row.update((name, value) for name, value in state.fields.items() if name in row)
    row["Id"] = state.id
    row["CreatedDate"] = state.created
    if "IsDeleted" in row:
        row["IsDeleted"] = state.removed
    if "SystemModstamp" in row:
        row["SystemModstamp"] = state.modified
    if "LastModifiedDate" in row:
        row["LastModifiedDate"] = state.modified
    if row.get("CreatedById") is None:
        row["CreatedById"] = state.fields.get("OwnerId") or "005Kx0000000001IAA"
    return row


def _table(world: World, sobject: str, now: int) -> list[dict[str, Any]]:
    table = world.scenario.salesforce[sobject]
    return world.memo(
        f"rows {sobject} {table.version(now)}", lambda: [_row(sobject, state) for state in table.snapshot(now)]
    )


def _select(
    world: World, text: str, now: int, with_deleted: bool
) -> tuple[str, tuple[str, ...], list[dict[str, Any]], bool]:
    try:
        query = parse(text, _types)
    except KeyError as unknown:
        raise _refuse(
            400,
            "INVALID_TYPE",
            f"sObject type {unknown} is not supported. If you are attempting to use a custom object, be sure to append "
            "the '__c' after the entity name. Please reference your WSDL or the describe call for the "
            "appropriate names.",
        ) from None
    except Malformed as problem:
        raise _refuse(400, "MALFORMED_QUERY", str(problem)) from None
    except InvalidField as problem:
        raise _refuse(400, "INVALID_FIELD", str(problem)) from None
    sobject = _spelled(query.sobject)
    if sobject in MULTI_CURRENCY and not world.scenario.salesforce[sobject].records:
        raise _refuse(400, "INVALID_TYPE", f"sObject type '{sobject}' is not supported.")
    rows = [
        row for row in _table(world, sobject, now) if (with_deleted or not row.get("IsDeleted")) and query.test(row)
    ]
    sort_rows(rows, query.order or (("Id", False, False),))
    rows = rows[query.offset :]
    if query.limit is not None:
        rows = rows[: query.limit]
    return sobject, query.fields, rows, query.is_count


def _render(version: str, sobject: str, fields: tuple[str, ...], row: dict[str, Any]) -> dict[str, Any]:
    types = OBJECTS[sobject]
    rendered: dict[str, Any] = {
        "attributes": {"type": sobject, "url": f"/services/data/v{version}/sobjects/{sobject}/{row['Id']}"}
    }
    for name in fields:
        rendered[name] = written(row[name], types[name])
    return rendered


# --- endpoints ------------------------------------------------------------------------------------------------------


def _batch_size(world: World, call: Call) -> int:
    options = call.headers.get("sforce-query-options", "")
    size = world.settings.salesforce_page_size
    for option in options.split(","):
        name, _, value = option.strip().partition("=")
        if name.lower() == "batchsize":
            if not value.isdigit() or not 200 <= int(value) <= 2_000:
                raise _refuse(400, "INVALID_QUERY_OPTIONS", f"batchSize must be between 200 and 2000, got {value}")
            size = min(size, int(value))
    return size


def run_query(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET …/query?q= and …/queryAll?q=."""
    version = _authorize(world, call, parts)
    text = call.query.get("q")
    if not text:
        raise _refuse(400, "MALFORMED_QUERY", "A query string has to be specified")
    sobject, fields, rows, is_count = _select(world, text, call.now, parts["verb"] == "queryAll")
    if is_count:
        return _answer(world, {"totalSize": len(rows), "done": True, "records": []})
    size = _batch_size(world, call)
    locator = None
    if len(rows) > size:
        locator = f"0r8Kx{world.number('locator'):010d}QAA"
        cursors = [name for name in world.cursors if name.startswith("0r8")]
        if len(cursors) >= OPEN_CURSORS:
            del world.cursors[cursors[0]]
        world.cursors[locator] = (sobject, fields, rows, size)
    return _answer(world, _page(version, sobject, fields, rows, 0, size, locator))


def _page(
    version: str,
    sobject: str,
    fields: tuple[str, ...],
    rows: list[dict[str, Any]],
    start: int,
    size: int,
    locator: str | None,
) -> dict[str, Any]:
    payload: dict[str, Any] = {"totalSize": len(rows), "done": start + size >= len(rows)}
    if not payload["done"]:
        payload["nextRecordsUrl"] = f"/services/data/v{version}/query/{locator}-{start + size}"
    payload["records"] = [_render(version, sobject, fields, row) for row in rows[start : start + size]]
    return payload


def more_records(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET nextRecordsUrl."""
    version = _authorize(world, call, parts)
    known = world.cursors.get(parts["locator"])
    if known is None:
        raise _refuse(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    sobject, fields, rows, size = known
    return _answer(world, _page(version, sobject, fields, rows, int(parts["offset"]), size, parts["locator"]))


# --- Bulk API 2.0 ---------------------------------------------------------------------------------------------------

UNBULKED = {"OpportunityContactRole", *MULTI_CURRENCY}


def submit_job(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """POST …/jobs/query: a query that is worked off at leisure."""
    version = _authorize(world, call, parts)
    try:
        asked = call.json
        operation, text = asked["operation"], asked["query"]
    except (ValueError, KeyError, TypeError):
        raise _refuse(400, "INVALIDJOB", "A query job needs operation and query") from None
    if operation not in ("query", "queryAll"):
        raise _refuse(400, "INVALIDJOB", f"InvalidJob : Unsupported operation {operation}")
    sobject, fields, rows, is_count = _select(world, text, call.now, operation == "queryAll")
    if is_count:
        raise _refuse(400, "API_ERROR", "Aggregate Relationships not supported in Bulk Query")
    if sobject in UNBULKED:
        raise _refuse(400, "INVALIDENTITY", f"{sobject} is not supported by the Bulk API")
    job = f"750Kx{world.number('bulk query'):010d}IAA"
    world.cursors[job] = (sobject, fields, rows, operation)
    return _answer(world, _job(version, job, sobject, operation, "UploadComplete"))


def _job(version: str, job: str, sobject: str, operation: str, state: str) -> dict[str, Any]:
    return {
        "id": job,
        "operation": operation,
        "object": sobject,
        "createdById": "005Kx0000000001IAA",
        "state": state,
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "apiVersion": float(version),
        "lineEnding": "LF",
        "columnDelimiter": "COMMA",
    }


def _known_job(world: World, parts: dict[str, str]) -> tuple[str, tuple[str, ...], list[dict[str, Any]], str]:
    known = world.cursors.get(parts["job"])
    if known is None:
        raise _refuse(404, "NOT_FOUND", "The requested resource does not exist")
    found: tuple[str, tuple[str, ...], list[dict[str, Any]], str] = known
    return found


def ask_about_job(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET …/jobs/query/750…"""
    version = _authorize(world, call, parts)
    sobject, _, rows, operation = _known_job(world, parts)
    told = _job(version, parts["job"], sobject, operation, "JobComplete")
    return _answer(world, {**told, "numberRecordsProcessed": len(rows), "retries": 0, "totalProcessingTime": 3})


def read_results(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET …/jobs/query/750…/results: CSV, whose headers say how many records and where the next ones are."""
    _authorize(world, call, parts)
    sobject, fields, rows, _ = _known_job(world, parts)
    start = int(call.query.get("locator") or 0)
    size = min(int(call.query.get("maxRecords") or 50_000), world.settings.salesforce_bulk_page_size)
    if start > len(rows):
        raise _refuse(400, "INVALID_LOCATOR", "invalid locator")
    text = io.StringIO(newline="")
    lines = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    lines.writerow(fields)
    part = rows[start : start + size]
    for row in part:
        lines.writerow(_in_csv(row[name], OBJECTS[sobject][name]) for name in fields)
    answer = _answer(world, None)
    answer.text, answer.content_type = text.getvalue(), "text/csv"
    following = start + size
    answer.headers["Sforce-Locator"] = str(following) if following < len(rows) else "null"
    answer.headers["Sforce-NumberOfRecords"] = str(len(part))
    return answer


def _in_csv(value: Any, data_type: str) -> str:
    shown = written(value, data_type)
    if shown is None:
        return ""
    if isinstance(shown, bool):
        return str(shown).lower()
    return str(shown).replace("+0000", "Z") if data_type == "datetime" else str(shown)


def delete_job(world: World, call: Call, parts: dict[str, str]) -> Answer:
    _authorize(world, call, parts)
    _known_job(world, parts)
    del world.cursors[parts["job"]]
    return Answer(status=204, text="")


def list_sobjects(world: World, call: Call, parts: dict[str, str]) -> Answer:
    version = _authorize(world, call, parts)
    return _answer(
        world,
        {
            "encoding": "UTF-8",
            "maxBatchSize": 200,
            "sobjects": [
                {
                    "name": name,
                    "label": name,
                    "keyPrefix": KEY_PREFIXES[name],
                    "queryable": True,
                    "custom": False,
                    "retrieveable": True,
                    "urls": {
                        "sobject": f"/services/data/v{version}/sobjects/{name}",
                        "describe": f"/services/data/v{version}/sobjects/{name}/describe",
                        "rowTemplate": f"/services/data/v{version}/sobjects/{name}/{{ID}}",
                    },
                }
                for name in OBJECTS
            ],
        },
    )


SOAP_TYPES = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "datetime": "xsd:dateTime",
    "date": "xsd:date",
    "int": "xsd:int",
    "currency": "xsd:double",
    "double": "xsd:double",
    "percent": "xsd:double",
    "anyType": "xsd:anyType",
}


def describe(world: World, call: Call, parts: dict[str, str]) -> Answer:
    version = _authorize(world, call, parts)
    name = _known(parts["sobject"])
    return _answer(
        world,
        {
            "name": name,
            "label": name,
            "labelPlural": f"{name}s",
            "keyPrefix": KEY_PREFIXES[name],
            "custom": False,
            "queryable": True,
            "retrieveable": True,
            "fields": [_describe_field(field, kind) for field, kind in OBJECTS[name].items()],
            "urls": {"sobject": f"/services/data/v{version}/sobjects/{name}"},
        },
    )


def _describe_field(name: str, kind: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": name.removesuffix("__c").replace("_", " "),
        "type": kind,
        "soapType": SOAP_TYPES.get(kind, "xsd:string"),
        "length": {"id": 18, "reference": 18, "email": 80}.get(kind, 255 if SOAP_TYPES.get(kind) is None else 0),
        "precision": 18 if kind == "currency" else 0,
        "scale": 2 if kind == "currency" else 0,
        "nillable": name not in ("Id", "IsDeleted", "CreatedDate", "SystemModstamp"),
        "custom": name.endswith("__c"),
        "filterable": True,
        "sortable": True,
        "picklistValues": [],
        "referenceTo": [],
    }


def _known(sobject: str) -> str:
    if sobject.lower() not in {name.lower() for name in OBJECTS}:
        raise _refuse(404, "NOT_FOUND", "The requested resource does not exist")
    return _spelled(sobject)


def get_record(world: World, call: Call, parts: dict[str, str]) -> Answer:
    version = _authorize(world, call, parts)
    name = _known(parts["sobject"])
    state = world.scenario.salesforce[name].find(parts["id"], call.now)
    if state is None or state.removed:
        raise _refuse(
            404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: " + parts["id"]
        )
    names = tuple(field.strip() for field in call.query.get("fields", "").split(",") if field.strip()) or tuple(
        OBJECTS[name]
    )
    for field in names:
        if field not in OBJECTS[name]:
            raise _refuse(400, "INVALID_FIELD", f"No such column '{field}' on sobject of type {name}")
    return _answer(world, _render(version, name, names, _row(name, state)))


def limits(world: World, call: Call, parts: dict[str, str]) -> Answer:
    _authorize(world, call, parts)
    answer = _answer(world, None)
    used = int(answer.headers["Sforce-Limit-Info"].split("=")[1].split("/")[0])
    answer.payload = {
        "DailyApiRequests": {"Max": DAILY_REQUESTS, "Remaining": max(0, DAILY_REQUESTS - used)},
        "DailyBulkV2QueryJobs": {"Max": 10_000, "Remaining": 10_000},
    }
    return answer


def list_versions(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET /services/data: needs no session."""
    return Answer(
        [
            {"label": f"v{number}", "url": f"/services/data/v{number}.0", "version": f"{number}.0"}
            for number in range(RETIRED + 1, NEWEST + 1)
        ]
    )


def list_resources(world: World, call: Call, parts: dict[str, str]) -> Answer:
    version = _authorize(world, call, parts)
    return _answer(
        world, {name: f"/services/data/v{version}/{name}" for name in ("sobjects", "query", "queryAll", "limits")}
    )


def updated_or_deleted(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET …/sobjects/X/updated and …/deleted with start and end."""
    _authorize(world, call, parts)
    name = _known(parts["sobject"])
    wanted = "updated" if parts["which"] == "updated" else "deleted"
    try:
        start, end = (moment(call.query[edge].replace(" ", "+")) for edge in ("start", "end"))
    except (KeyError, ValueError):
        raise _refuse(400, "INVALID_REPLICATION_DATE", "start and end must be ISO 8601 date-times") from None
    found = [state for state in world.scenario.salesforce[name].snapshot(call.now) if start <= state.modified < end]
    if wanted == "updated":
        return _answer(
            world,
            {"ids": [state.id for state in found if not state.removed], "latestDateCovered": salesforce_time(call.now)},
        )
    return _answer(
        world,
        {
            "deletedRecords": [
                {"id": state.id, "deletedDate": salesforce_time(state.modified)} for state in found if state.removed
            ],
            "earliestDateAvailable": salesforce_time(start),
            "latestDateCovered": salesforce_time(call.now),
        },
    )


DATA = r"/services/data/v(?P<version>\d+\.\d+)"
ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", r"/services/oauth2/token/?", give_token),
    ("GET", r"/services/data/?", list_versions),
    ("GET", DATA + r"/?", list_resources),
    ("GET", DATA + r"/(?P<verb>query|queryAll)/?", run_query),
    ("GET", DATA + r"/(?:query|queryAll)/(?P<locator>0r8\w+)-(?P<offset>\d+)/?", more_records),
    ("POST", DATA + r"/jobs/query/?", submit_job),
    ("GET", DATA + r"/jobs/query/(?P<job>750\w+)/?", ask_about_job),
    ("DELETE", DATA + r"/jobs/query/(?P<job>750\w+)/?", delete_job),
    ("GET", DATA + r"/jobs/query/(?P<job>750\w+)/results/?", read_results),
    ("GET", DATA + r"/limits/?", limits),
    ("GET", DATA + r"/sobjects/?", list_sobjects),
    ("GET", DATA + r"/sobjects/(?P<sobject>\w+)/describe/?", describe),
    ("GET", DATA + r"/sobjects/(?P<sobject>\w+)/(?P<which>updated|deleted)/?", updated_or_deleted),
    ("GET", DATA + r"/sobjects/(?P<sobject>\w+)/(?P<id>\w{15,18})/?", get_record),
)


# --- what faults need to know ---------------------------------------------------------------------------------------

STREAMS = {
    "Account": "accounts",
    "Campaign": "campaigns",
    "CampaignMember": "campaign_members",
    "Contact": "contacts",
    "CurrencyType": "currency_types",
    "DatedConversionRate": "currency_rates",
    "Event": "events",
    "Lead": "leads",
    "LeadHistory": "lead_history",
    "Opportunity": "opportunities",
    "OpportunityContactRole": "opportunity_contact_roles",
    "OpportunityHistory": "opportunity_history",
    "OpportunityLineItem": "opportunity_line_items",
    "Product2": "products",
    "Task": "tasks",
    "User": "users",
}


def stream_of(world: World, call: Call) -> str | None:
    if not call.path.startswith("/services/data"):
        return None
    tail = call.path.rstrip("/").rpartition("/")[2]
    known = world.cursors.get(tail.rpartition("-")[0])
    if known is not None:
        return STREAMS[known[0]]
    if "/jobs/query" in call.path:
        job = next((world.cursors[part] for part in call.path.split("/") if part in world.cursors), None)
        if job is not None:
            return STREAMS[job[0]]
    words = (call.query.get("q") or _query_of_job(call)).split()
    for word, following in pairwise(words):
        if word.lower() == "from":
            return next((stream for name, stream in STREAMS.items() if name.lower() == following.lower()), None)
    return None


def _query_of_job(call: Call) -> str:
    if call.method != "POST" or "/jobs/query" not in call.path:
        return ""
    try:
        return str(call.json.get("query", ""))
    except (ValueError, AttributeError):
        return ""


def is_later_page(call: Call) -> bool:
    return "/0r8" in call.path or ("/results" in call.path and "locator" in call.query)


def rows_of(payload: Any) -> list[Any] | None:
    return payload.get("records") if isinstance(payload, dict) else None


def hollow(call: Call, payload: Any) -> Any:
    """The answer as an empty page that is not the last; a leading zero spells the same place anew."""
    start, _, offset = call.path.rstrip("/").rpartition("-")
    return {"totalSize": payload["totalSize"], "done": False, "nextRecordsUrl": f"{start}-0{offset}", "records": []}
