"""Queries of Salesforce, in pages."""

from __future__ import annotations

from typing import Any, NamedTuple

from sandbox.exchange import Answer, Call, World
from sandbox.salesforce.access import answer_with, authorize, refuse
from sandbox.salesforce.rows import render, select
from sandbox.salesforce.schema import OPEN_CURSORS


class Found(NamedTuple):
    """What a query found, to be given out in batches."""

    sobject: str
    fields: tuple[str, ...]
    rows: list[dict[str, Any]]
    size: int


def _batch_size(world: World, call: Call) -> int:
    options = call.headers.get("sforce-query-options", "")
    size = world.settings.salesforce_page_size
    for option in options.split(","):
        name, _, value = option.strip().partition("=")
        if name.lower() == "batchsize":
            if not value.isdigit() or not 200 <= int(value) <= 2_000:
                raise refuse(400, "INVALID_QUERY_OPTIONS", f"batchSize must be between 200 and 2000, got {value}")
            size = min(size, int(value))
    return size


def run_query(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET …/query?q= and …/queryAll?q=."""
    version = authorize(world, call, parts)
    text = call.query.get("q")
    if not text:
        raise refuse(400, "MALFORMED_QUERY", "A query string has to be specified")
    sobject, fields, rows, is_count = select(world, text, call.now, parts["verb"] == "queryAll")
    if is_count:
        return answer_with(world, {"totalSize": len(rows), "done": True, "records": []})
    found = Found(sobject, fields, rows, _batch_size(world, call))
    locator = None
    if len(rows) > found.size:
        locator = f"0r8Kx{world.number('locator'):010d}QAA"
        cursors = [name for name in world.cursors if name.startswith("0r8")]
        if len(cursors) >= OPEN_CURSORS:
            del world.cursors[cursors[0]]
        world.cursors[locator] = found
    return answer_with(world, _page(version, found, 0, locator))


def _page(version: str, found: Found, start: int, locator: str | None) -> dict[str, Any]:
    end = start + found.size
    payload: dict[str, Any] = {"totalSize": len(found.rows), "done": end >= len(found.rows)}
    if not payload["done"]:
        payload["nextRecordsUrl"] = f"/services/data/v{version}/query/{locator}-{end}"
    payload["records"] = [render(version, found.sobject, found.fields, row) for row in found.rows[start:end]]
    return payload


def more_records(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET nextRecordsUrl."""
    version = authorize(world, call, parts)
    known = world.cursors.get(parts["locator"])
    if known is None:
        raise refuse(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    return answer_with(world, _page(version, known, int(parts["offset"]), parts["locator"]))
