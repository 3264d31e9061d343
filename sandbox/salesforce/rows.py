"""Salesforce's records in the format of its answers."""

from __future__ import annotations

from typing import Any

from sandbox.exchange import World
from sandbox.records import State
from sandbox.salesforce.access import refuse
from sandbox.salesforce.schema import MULTI_CURRENCY, OBJECTS
from sandbox.soql import InvalidField, Malformed, parse, sort_rows, written


def _types(sobject: str) -> dict[str, str]:
    for name, fields in OBJECTS.items():
        if name.lower() == sobject.lower():
            return fields
    raise KeyError(sobject)


def _spelled(sobject: str) -> str:
    return next(name for name in OBJECTS if name.lower() == sobject.lower())


def row_of(sobject: str, state: State) -> dict[str, Any]:
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
        f"rows {sobject} {table.version(now)}", lambda: [row_of(sobject, state) for state in table.snapshot(now)]
    )


def select(
    world: World, text: str, now: int, with_deleted: bool
) -> tuple[str, tuple[str, ...], list[dict[str, Any]], bool]:
    try:
        query = parse(text, _types)
    except KeyError as unknown:
        raise refuse(
            400,
            "INVALID_TYPE",
            f"sObject type {unknown} is not supported. If you are attempting to use a custom object, be sure to append "
            "the '__c' after the entity name. Please reference your WSDL or the describe call for the "
            "appropriate names.",
        ) from None
    except Malformed as problem:
        raise refuse(400, "MALFORMED_QUERY", str(problem)) from None
    except InvalidField as problem:
        raise refuse(400, "INVALID_FIELD", str(problem)) from None
    sobject = _spelled(query.sobject)
    if sobject in MULTI_CURRENCY and not world.scenario.salesforce[sobject].records:
        raise refuse(400, "INVALID_TYPE", f"sObject type '{sobject}' is not supported.")
    rows = [
        row for row in _table(world, sobject, now) if (with_deleted or not row.get("IsDeleted")) and query.test(row)
    ]
    sort_rows(rows, query.order or (("Id", False, False),))
    rows = rows[query.offset :]
    if query.limit is not None:
        rows = rows[: query.limit]
    return sobject, query.fields, rows, query.is_count


def render(version: str, sobject: str, fields: tuple[str, ...], row: dict[str, Any]) -> dict[str, Any]:
    types = OBJECTS[sobject]
    rendered: dict[str, Any] = {
        "attributes": {"type": sobject, "url": f"/services/data/v{version}/sobjects/{sobject}/{row['Id']}"}
    }
    for name in fields:
        rendered[name] = written(row[name], types[name])
    return rendered


def spelling_of(sobject: str) -> str:
    if sobject.lower() not in {name.lower() for name in OBJECTS}:
        raise refuse(404, "NOT_FOUND", "The requested resource does not exist")
    return _spelled(sobject)
