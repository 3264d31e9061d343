"""Descriptions of a Salesforce org, single records, and lists of changed records."""

from __future__ import annotations

from typing import Any

from sandbox.clock import moment, salesforce_time
from sandbox.exchange import Answer, Call, World
from sandbox.salesforce.access import answer_with, authorize, refuse
from sandbox.salesforce.rows import render, row_of, spelling_of
from sandbox.salesforce.schema import DAILY_REQUESTS, KEY_PREFIXES, NEWEST, OBJECTS, RETIRED, SOAP_TYPES


def list_sobjects(world: World, call: Call, parts: dict[str, str]) -> Answer:
    version = authorize(world, call, parts)
    return answer_with(
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


def describe(world: World, call: Call, parts: dict[str, str]) -> Answer:
    version = authorize(world, call, parts)
    name = spelling_of(parts["sobject"])
    return answer_with(
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


def get_record(world: World, call: Call, parts: dict[str, str]) -> Answer:
    version = authorize(world, call, parts)
    name = spelling_of(parts["sobject"])
    state = world.scenario.salesforce[name].find(parts["id"], call.now)
    if state is None or state.removed:
        raise refuse(404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: " + parts["id"])
    names = tuple(field.strip() for field in call.query.get("fields", "").split(",") if field.strip()) or tuple(
        OBJECTS[name]
    )
    for field in names:
        if field not in OBJECTS[name]:
            raise refuse(400, "INVALID_FIELD", f"No such column '{field}' on sobject of type {name}")
    return answer_with(world, render(version, name, names, row_of(name, state)))


def limits(world: World, call: Call, parts: dict[str, str]) -> Answer:
    authorize(world, call, parts)
    answer = answer_with(world, None)
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
    version = authorize(world, call, parts)
    return answer_with(
        world, {name: f"/services/data/v{version}/{name}" for name in ("sobjects", "query", "queryAll", "limits")}
    )


def updated_or_deleted(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET …/sobjects/X/updated and …/deleted with start and end."""
    authorize(world, call, parts)
    name = spelling_of(parts["sobject"])
    wanted = "updated" if parts["which"] == "updated" else "deleted"
    try:
        start, end = (moment(call.query[edge].replace(" ", "+")) for edge in ("start", "end"))
    except (KeyError, ValueError):
        raise refuse(400, "INVALID_REPLICATION_DATE", "start and end must be ISO 8601 date-times") from None
    found = [state for state in world.scenario.salesforce[name].snapshot(call.now) if start <= state.modified < end]
    if wanted == "updated":
        return answer_with(
            world,
            {"ids": [state.id for state in found if not state.removed], "latestDateCovered": salesforce_time(call.now)},
        )
    return answer_with(
        world,
        {
            "deletedRecords": [
                {"id": state.id, "deletedDate": salesforce_time(state.modified)} for state in found if state.removed
            ],
            "earliestDateAvailable": salesforce_time(start),
            "latestDateCovered": salesforce_time(call.now),
        },
    )
