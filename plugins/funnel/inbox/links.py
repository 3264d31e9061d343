"""Finds columns that join two files of a folder: for instance the deals' column that holds lead ids, whatever its
header.

Ids prove a link if their values are in both files. Plain numbers prove it only if the header names ids.
"""

from funnel.inbox import vocabulary
from funnel.inbox.catalogue import ENTITIES
from funnel.inbox.contents import Column
from funnel.inbox.exploration import Table
from funnel.inbox.proposed_columns import Noted, Proposed, headers_of

# Entities whose field contains the key of another entity.
_REFERENCES = {
    ("opportunities", "lead_id"): "leads",
    ("opportunities", "account_id"): "accounts",
    ("opportunities", "product_id"): "products",
    ("opportunity_lines", "opportunity_id"): "opportunities",
    ("opportunity_lines", "product_id"): "products",
    ("leads", "account_id"): "accounts",
    ("order_lines", "product_id"): "products",
    ("order_lines", "account_id"): "accounts",
    ("orders", "opportunity_id"): "opportunities",
    ("orders", "account_id"): "accounts",
    ("touches", "lead_id"): "leads",
    ("stage_events", "lead_id"): "leads",
    ("stage_events", "opportunity_id"): "opportunities",
    ("sell_through", "product_id"): "products",
}
_SHARE = 0.5


def link(streams: list[tuple[Proposed, Table]]) -> None:
    """Map each field that names another entity's key to the column whose values are those keys."""
    for (entity, name), other in _REFERENCES.items():
        keys = _keys(streams, other)
        for stream, table in streams:
            if stream.entity != entity or not keys:
                continue
            best = max(table.columns, key=lambda column: _share(column, keys, stream, other, name))
            share = _share(best, keys, stream, other, name)
            stated = stream.columns.get(name)
            now = _share_of(table.column(stated.value), keys) if stated and isinstance(stated.value, str) else 0.0
            if share >= _SHARE and share > now:
                stream.columns[name] = Noted(best.header)
                stream.notes.append(f"{name}: {best.header} holds the {ENTITIES[other].key[0]} of the {other}")


def _keys(streams: list[tuple[Proposed, Table]], entity: str) -> frozenset[str]:
    """The values of an entity's key in the folder."""
    key = ENTITIES[entity].key[0]
    found: set[str] = set()
    for stream, table in streams:
        noted = stream.columns.get(key)
        if stream.entity == entity and noted and isinstance(noted.value, str) and noted.value in table.headers:
            found.update(table.column(noted.value).filled)
    return frozenset(found)


def _share_of(column: Column, keys: frozenset[str]) -> float:
    return sum(cell in keys for cell in column.distinct) / len(column.distinct) if column.distinct else 0.0


def _share(column: Column, keys: frozenset[str], stream: Proposed, other: str, name: str) -> float:
    """Share of a column's values that are keys of the other entity; 0 for columns with another meaning."""
    own = ENTITIES[stream.entity].key[0]
    holders = {ours for ours, theirs in headers_of(stream.columns) if theirs == column.header} - {name}
    if (
        holders - {own, "account_name", "product_name", "person_id"}
        or len(column.distinct) < 2
        or column.dates > _SHARE
    ):
        return 0.0
    if column.numbers > _SHARE:
        says = vocabulary.meaning(column.header)
        if own in holders or not says & ({"id"} | vocabulary.entities()[other].noun):
            return 0.0
    return _share_of(column, keys)
