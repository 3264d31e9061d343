"""Proposes a manifest for a folder of exports: streams with their columns, maps and settings.

An uncertain value has a note. Nothing is written or loaded here; `new_manifest` tests the proposal by reading the files
with it.
"""

import fnmatch
import glob
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from funnel.inbox import links, notation, proposed_columns, recognition, vocabulary, wide_tables
from funnel.inbox.contents import NOTHING, Column
from funnel.inbox.entities import Entity
from funnel.inbox.exploration import INTERCHANGES, Table
from funnel.inbox.proposed_columns import Noted, Proposed
from funnel.inbox.recognition import Recognised
from funnel.inbox.wide_tables import WideTable

# A second entity in the rows of a first one: the shared field is the second one's key.
_ON_THE_SIDE = {"accounts": "account_id", "reps": "rep_name", "products": "product_id"}
# A time of day other than midnight, without an offset.
_TIME = re.compile(r"(?<![\d:])(?!0?0:00(?::00)?(?:\.0+)?$)\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[AaPp][Mm])?$")


@dataclass
class Proposal:
    """The result for a folder."""

    streams: list[Proposed]
    unknown: dict[str, str]
    currency: Noted | None
    timezone: Noted


def propose(tables: list[Table], reporting_currency: str, names: Iterable[str]) -> Proposal:
    """The streams of these tables. `names` are all files of the folder: a glob must not match others."""
    groups: dict[Any, list[Table]] = {}
    for table in tables:
        groups.setdefault((table.kind, table.headers), []).append(table)
    unknown: dict[str, str] = {}
    chosen: list[tuple[list[Table], Table, Recognised]] = []
    interchanges = [groups.pop(key) for key in list(groups) if key[0] in INTERCHANGES]
    for members in groups.values():
        merged = _merged(members)
        wide = [found for table in members if (found := _of_wide(table))]
        if len(wide) == len(members):
            chosen += wide
            continue
        likely = recognition.recognise(merged.columns, _names(members))
        if likely and _is_dated(likely[0], members):
            chosen += [(part, _merged(part), likely[0]) for part in _parts(members, likely[0])]
        else:
            unknown |= {_place(table): _told(table, merged) for table in members}
    order = notation.date_order([merged for _, merged, _ in chosen])
    have = {one.entity.name for _, _, one in chosen}
    made: list[tuple[Proposed, Table]] = []
    for members, merged, one in chosen:
        for each in (one, *_companions(merged, one, have)):
            made.append((_stream(members, merged, each, list(names)), merged))
    links.link(made)
    _note_orders(made)
    _free_prices(made)
    streams = []
    for stream, merged in made:
        finished = _finished(stream, merged, order)
        streams += wide_tables.expanded(finished, merged) if isinstance(merged, WideTable) else [finished]
    streams += [_interchange(members, list(names)) for members in interchanges]
    currency = _currency(streams, reporting_currency)
    return Proposal(streams, unknown, currency, _timezone(tables, made))


def _of_wide(table: Table) -> tuple[list[Table], Table, Recognised] | None:
    """The entity of a table with a column per month; None if no entity has a month and an amount of it."""
    for wide in wide_tables.narrowed(table):
        for one in recognition.recognise(wide.columns, _names([table])):
            if wide_tables.is_read(one, wide):
                return [table], wide, one
    return None


def _note_orders(made: list[tuple[Proposed, Table]]) -> None:
    """Add a note to orders without lines: revenue is computed from lines."""
    if "order_lines" not in {stream.entity for stream, _ in made}:
        for stream, _ in made:
            if stream.entity == "orders":
                stream.notes.append("unsure: no file holds the lines of these orders, so they have no revenue")


def _free_prices(made: list[tuple[Proposed, Table]]) -> None:
    """Remove the unit cost of products if its column is the price that customers pay."""
    paid = {
        (id(table), header)
        for stream, table in made
        if stream.entity == "order_lines"
        for name, header in proposed_columns.headers_of(stream.columns)
        if name == "amount"
    }
    for stream, table in made:
        cost = stream.columns.get("unit_cost")
        if stream.entity == "products" and cost and (id(table), cost.value) in paid:
            del stream.columns["unit_cost"]


def _interchange(members: list[Table], names: list[str]) -> Proposed:
    """The stream of an X12 852, which is read without columns."""
    path = _glob(sorted({table.path for table in members}), names)
    return Proposed("sell_through", path, members, {}, notes=["X12 852: stores, products, pieces sold and on hand"])


def _parts(members: list[Table], one: Recognised) -> list[list[Table]]:
    """The tables, grouped by what only their names or first lines state: a platform, a retailer."""
    parts: dict[str | None, list[Table]] = {}
    for table in members:
        said = None
        if one.entity.name == "ad_stats":
            said = None if "platform" in one.columns else proposed_columns.platform_of(table)
            said = said if "date_day" in one.columns else f"{said} {proposed_columns.day_of(table)}"
        if one.entity.name == "sell_through" and "retailer" not in one.columns:
            said = proposed_columns.retailer_of(table)
        parts.setdefault(said, []).append(table)
    return list(parts.values())


def _is_dated(one: Recognised, members: list[Table]) -> bool:
    """True if the day of statistics is known: from a column, the lines above the header, or the file's name."""
    return "date_day" not in recognition.lacking(one.entity, one.columns) or all(map(proposed_columns.day_of, members))


def _names(members: list[Table]) -> str:
    table = members[0]
    return f"{os.path.basename(table.path)} {table.sheet or ''} {table.above[:200]}"


def _place(table: Table) -> str:
    return f"{table.path}, sheet {table.sheet}" if table.sheet and len(table.sheets) > 1 else table.path


def _told(table: Table, merged: Table) -> str:
    """The message for a table that was not recognised: its headers, and what it may lack."""
    near = recognition.recognise(merged.columns, _names([table]), whole=False)
    lacking = (
        ", ".join(near[0].lacking) or "date_day (export it by day, or map date_day: {value: 2026-01-31})"
        if near
        else ""
    )
    looks = f"looks like {near[0].entity.name}, but no column is its {lacking}; " if near else ""
    return f"{looks}line {table.header} reads {', '.join(table.headers[:12])}"


def _merged(members: list[Table]) -> Table:
    """The tables with the same header as one: one of them may settle what another leaves open."""
    first = members[0]
    columns = tuple(
        Column(
            header,
            tuple(cell for table in members for cell in table.column(header).cells),
            tuple(cell for table in members for cell in table.column(header).further),
        )
        for header in first.headers
    )
    return replace(first, columns=columns, rows=sum(table.rows for table in members))


def _companions(table: Table, one: Recognised, have: set[str]) -> list[Recognised]:
    """Other entities in the same rows: an order's lines, a deal's account."""
    found: list[Recognised] = []
    pair = {"orders": "order_lines", "order_lines": "orders"}.get(one.entity.name)
    if pair and pair not in have:
        found += [
            other
            for other in recognition.recognise(table.columns, "", [pair])
            if other.columns.get("order_id") == one.columns.get("order_id")
        ]
    if one.entity.name in ("opportunities", "orders", "order_lines", "sell_through", "leads"):
        for name, shared in _ON_THE_SIDE.items():
            if name not in have and shared in one.columns:
                for other in recognition.recognise(table.columns, "", [name]):
                    clear = _clear(table, other, one.columns[shared], shared)
                    found += [clear] if clear else []
    return found


def _clear(table: Table, other: Recognised, key: str, shared: str) -> Recognised | None:
    """The second entity, limited to attributes that have one value for each key; None without any."""
    keys = table.column(key).cells
    if other.columns.get(other.entity.key[0], other.columns.get(shared)) != key or len(set(keys)) == len(keys):
        return None
    kept = {name: header for name, header in other.columns.items() if header == key or _depends(table, key, header)}
    attributes = {name for name, header in kept.items() if header != key and name in other.entity.names}
    if not attributes - {"created_at", "region", "email", "valid_from", "team"}:
        return None
    return replace(other, columns=kept)


def _depends(table: Table, key: str, header: str) -> bool:
    pairs = {pair for pair in zip(table.column(key).cells, table.column(header).cells, strict=True) if pair[0]}
    return len(pairs) == len({mine for mine, _ in pairs})


def _stream(members: list[Table], merged: Table, one: Recognised, names: list[str]) -> Proposed:
    """The stream with its columns."""
    entity = one.entity
    columns = {
        name: Noted(header, None if one.sureness[name] >= recognition.SURE else f"{header!r} may mean something else")
        for name, header in one.columns.items()
        if name in entity.names
    }
    proposed = Proposed(entity.name, _glob(sorted({table.path for table in members}), names), members, columns)
    proposed_columns.complete(proposed, merged, one)
    return proposed


def _finished(proposed: Proposed, merged: Table, order: str | None) -> Proposed:
    """The stream with what follows from its columns: maps, formats and other settings."""
    entity, members = proposed_columns.entity_of(proposed.entity), proposed.tables
    order_of = {each.name: place for place, each in enumerate(entity.fields)}
    proposed.columns = dict(sorted(proposed.columns.items(), key=lambda pair: order_of[pair[0]]))
    used = {header: name for name, header in proposed_columns.headers_of(proposed.columns)}
    for name, noted in proposed.columns.items():
        kind = entity.field(name).kind
        if not isinstance(noted.value, str) or noted.value not in merged.headers:
            continue
        column = merged.column(noted.value)
        if kind == "stage":
            of_lead = entity.name == "leads" or (entity.name == "stage_events" and "lead_id" in proposed.columns)
            proposed.maps[name] = _stages(column, entity.field(name).values, of_lead)
        if name == "platform":
            named = {word: vocabulary.platform_of(word) for word in column.distinct[:60]}
            proposed.maps[name] = {word: Noted(ours) for word, ours in named.items() if ours and ours != word}
        if _is_filled_down(column, entity, name):
            proposed.settings.setdefault("fill_down", Noted({})).value[name] = None
            proposed.notes.append(f"empty cells of {noted.value} take the value above")
        if kind in ("date", "moment", "month"):
            stated = notation.date_format(column, kind == "month", order)
            if stated:
                formats = proposed.settings.setdefault("date_format", Noted({}))
                formats.value[name] = stated
    proposed.settings |= notation.reading(merged, proposed.columns, entity)
    nulls = sorted({cell for header in used for cell in merged.column(header).cells if cell in NOTHING})
    if nulls:
        proposed.settings["nulls"] = Noted(nulls)
    visible = members[0].sheets
    if members[0].sheet and len(visible) > 1 and len({table.sheet for table in members}) < len(visible):
        own = list(dict.fromkeys(table.sheet for table in members))
        proposed.settings["sheet" if len(own) == 1 else "sheets"] = Noted(own[0] if len(own) == 1 else own)
    proposed.left = [header for header in merged.headers if header not in used]
    for noted in proposed.columns.values():
        if isinstance(noted.value, str) and any(
            header.startswith(f"{noted.value} (column ") for header in merged.headers
        ):
            noted.note = f"{noted.value!r} occurs more than once; this is the first"
            noted.value = {"position": merged.headers.index(noted.value) + 1}
    return proposed


def _is_filled_down(column: Column, entity: Entity, name: str) -> bool:
    """True if a required label is written only once per group, as merged cells leave it."""
    field = entity.field(name)
    is_needed = field.required or any(name in group for group in entity.any_of)
    is_label = field.kind in ("text", "date", "month", "moment") and not (entity.is_fixed and name == entity.key[0])
    # Cells that are empty only below the last group belong to a footer.
    cells = column.cells[: max((place for place, cell in enumerate(column.cells) if cell), default=0) + 1]
    cells = tuple(cell for cell in cells if cell not in NOTHING)
    share = sum(map(bool, cells)) / len(cells) if cells else 1
    return is_needed and is_label and bool(column.cells[0]) and 0.01 < share < 0.8


def _stages(column: Column, ours: tuple[str, ...], of_lead: bool) -> dict[str, Noted]:
    """Map the file's words for stages to ours. An unknown one is mapped to open, with a note."""
    found: dict[str, Noted] = {}
    for word in column.distinct:
        stage = vocabulary.stage_of(word, of_lead=of_lead)
        if stage not in ours:
            stage = None
        if stage != word:
            unknown = Noted("lead" if of_lead else "opportunity", "an unknown word, taken to be open")
            found[word] = Noted(stage) if stage else unknown
    return found


# Paths --------------------------------------------------------------------------------------------------------------


def _glob(paths: list[str], names: list[str]) -> str:
    """One pattern for these files and the next ones of their kind that matches no other file of the folder."""
    bare = [path.removesuffix(".gz") for path in paths]
    for pattern in _patterns(bare):
        meant = {name for name in names if _matches(name, pattern)}
        if meant == set(paths):
            return pattern
    return glob.escape(bare[0]) if len(paths) == 1 else _common(bare)


def _matches(name: str, pattern: str) -> bool:
    from funnel.inbox import manifest

    return manifest.matches(name, pattern)


def _patterns(paths: list[str]) -> list[str]:
    """Candidate patterns, the most general first: digits of a date differ in next month's file."""
    first = glob.escape(paths[0])
    found = []
    stem, dot, extension = first.rpartition(".")
    dated = re.sub(r"(?:[-_ .]?\(?\d+\)?)*\d{2,}(?:[-_ .]?\d+)*(?:[-_ ]?\(\d+\))?", "*", stem) + dot + extension
    if (
        re.search("[A-Za-z]", dated.rpartition(".")[0])
        and dated != first
        and all(fnmatch.fnmatchcase(path, dated) for path in paths)
    ):
        found.append(re.sub(r"\*[-_ .]*\*+", "*", dated))
    if len(paths) > 1:
        found.append(_common(paths))
    return [*found, *([first] if len(paths) == 1 else [])]


def _common(paths: list[str]) -> str:
    """The common beginning and end of all paths, with a star between."""
    start = _shared(paths)
    end = _shared([path[len(start) :][::-1] for path in paths])[::-1]
    return f"{glob.escape(start)}*{glob.escape(end)}"


def _shared(texts: list[str]) -> str:
    first, last = min(texts), max(texts)
    length = next((place for place, sign in enumerate(first) if last[place] != sign), len(first))
    return first[:length]


# What holds for the whole manifest ------------------------------------------------------------------------------------


def _currency(streams: list[Proposed], reporting: str) -> Noted | None:
    """The manifest's currency; a stream with another one states it."""
    found = [each.settings.pop("currency", None) for each in streams]
    seen = Counter(one.value for one in found if one)
    chosen = seen.most_common(1)[0][0] if seen else None
    silent: list[str] = []
    for each, own in zip(streams, found, strict=True):
        entity = proposed_columns.entity_of(each.entity)
        names = set(entity.names) - set(each.columns)
        has_money = each.entity == "orders" or proposed_columns.has_money(each.columns, entity)
        if own and own.value != chosen and "currency_code" in names:
            each.columns["currency_code"] = Noted({"value": own.value}, own.note)
        elif own and own.value != chosen and "currency_code" not in each.columns:
            each.notes.append(f"unsure: the amounts seem to be in {own.value}, the rest of the folder in {chosen}")
        elif not own and has_money and "currency_code" in names:
            silent.append(each.path)
    if chosen:
        # Only the first of several reasons for doubt is stated.
        notes = [f"{path} does not name its currency" for path in silent[:1]]
        notes += [one.note for one in found if one and one.value == chosen and one.note]
        return Noted(chosen, next(iter(notes), None))
    return Noted(reporting, "no file names its currency; this is the reporting currency") if silent else None


def _timezone(tables: list[Table], made: list[tuple[Proposed, Table]]) -> Noted:
    """UTC, marked as unsure if a used column holds times without an offset."""
    if tables and all(re.search(r"\bUTC\b", f"{table.above} {' '.join(table.headers)}") for table in tables):
        return Noted("UTC")
    for stream, table in made:
        for name, header in proposed_columns.headers_of(stream.columns):
            is_moment = proposed_columns.entity_of(stream.entity).field(name).kind == "moment"
            if is_moment and any(_TIME.search(cell) for cell in table.column(header).filled[:1000]):
                return Noted("UTC", f"in which zone the times of {header} in {stream.path} are, such as Europe/Berlin")
    return Noted("UTC")
