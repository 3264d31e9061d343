"""The Bulk API 2.0 of Salesforce: queries as jobs whose results are CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

from sandbox.exchange import Answer, Call, World
from sandbox.salesforce.access import answer_with, authorize, refuse
from sandbox.salesforce.rows import select
from sandbox.salesforce.schema import MULTI_CURRENCY, OBJECTS
from sandbox.soql import written

UNBULKED = {"OpportunityContactRole", *MULTI_CURRENCY}


def submit_job(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """POST …/jobs/query: a query that is processed asynchronously."""
    version = authorize(world, call, parts)
    try:
        asked = call.json
        operation, text = asked["operation"], asked["query"]
    except (ValueError, KeyError, TypeError):
        raise refuse(400, "INVALIDJOB", "A query job needs operation and query") from None
    if operation not in ("query", "queryAll"):
        raise refuse(400, "INVALIDJOB", f"InvalidJob : Unsupported operation {operation}")
    sobject, fields, rows, is_count = select(world, text, call.now, operation == "queryAll")
    if is_count:
        raise refuse(400, "API_ERROR", "Aggregate Relationships not supported in Bulk Query")
    if sobject in UNBULKED:
        raise refuse(400, "INVALIDENTITY", f"{sobject} is not supported by the Bulk API")
    job = f"750Kx{world.number('bulk query'):010d}IAA"
    world.cursors[job] = (sobject, fields, rows, operation)
    return answer_with(world, _job(version, job, sobject, operation, "UploadComplete"))


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
        raise refuse(404, "NOT_FOUND", "The requested resource does not exist")
    found: tuple[str, tuple[str, ...], list[dict[str, Any]], str] = known
    return found


def ask_about_job(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET …/jobs/query/750…"""
    version = authorize(world, call, parts)
    sobject, _, rows, operation = _known_job(world, parts)
    told = _job(version, parts["job"], sobject, operation, "JobComplete")
    return answer_with(world, {**told, "numberRecordsProcessed": len(rows), "retries": 0, "totalProcessingTime": 3})


def read_results(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET …/jobs/query/750…/results: CSV, whose headers say how many records and where the next ones are."""
    authorize(world, call, parts)
    sobject, fields, rows, _ = _known_job(world, parts)
    start = int(call.query.get("locator") or 0)
    size = min(int(call.query.get("maxRecords") or 50_000), world.settings.salesforce_bulk_page_size)
    if start > len(rows):
        raise refuse(400, "INVALID_LOCATOR", "invalid locator")
    text = io.StringIO(newline="")
    lines = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    lines.writerow(fields)
    part = rows[start : start + size]
    for row in part:
        lines.writerow(_in_csv(row[name], OBJECTS[sobject][name]) for name in fields)
    answer = answer_with(world, None)
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
    authorize(world, call, parts)
    _known_job(world, parts)
    del world.cursors[parts["job"]]
    return Answer(status=204, text="")
