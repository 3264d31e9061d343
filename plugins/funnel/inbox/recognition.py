"""Recognises the entity of a table and the fields of its columns, by the words of its headers and by its cells.

Every entity is tried. A header matches a field if all its known words do; a column whose cells are not of the field's
kind (dates, numbers, addresses) is rejected. The entity with the most, and the most typical, fields ranks first.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from funnel.inbox import vocabulary
from funnel.inbox.catalogue import ENTITIES
from funnel.inbox.contents import Column
from funnel.inbox.entities import Entity, Field
from funnel.inbox.vocabulary import EntityWords, Meaning

SURE = 0.9
LIKELY = 0.4
# An id is that of the row; with a noun next to it, it is the id of another thing.
_ID = frozenset({"id"})
# Certainty of a column that is recognised only by its cells.
_BY_CELLS = 0.6
# Penalty on an entity's score for repeated keys.
_REPEATED = 4.0
_SHARE_OF_KIND = 0.6
_DATES = ("date", "moment", "month")
_NUMBERS = ("number", "integer", "share")
# Fields that may come from a constant, a hash or another field; any other required field must be a column.
DERIVABLE = {
    "opportunities": {"opportunity_id", "stage"},
    "leads": {"lead_id"},
    "order_lines": {"order_line", "amount"},
    "opportunity_lines": {"line_no"},
    "sell_through": {"retailer"},
    "ad_stats": {"date_day", "campaign_id"},
    "costs": {"team"},
}
# Names are not ids: cells with spaces or addresses exclude these fields.
_CODES = {"order_id", "lead_id", "opportunity_id", "campaign_id"}
# One column may be both fields.
_TWINS = {("account_id", "account_name"), ("product_id", "product_name"), ("rep_id", "rep_name")}


@dataclass(frozen=True)
class Recognised:
    """A table read as one entity: the header of each field with its certainty (0 to 1), and a score for comparison."""

    entity: Entity
    columns: dict[str, str]
    sureness: dict[str, float]
    score: float
    lacking: tuple[str, ...] = ()


def match(header: Meaning, patterns: tuple[Meaning, ...], noun: Meaning) -> float:
    """Certainty that a header matches a field, from 0 to 1. An additional word with another meaning
    excludes the match.
    """
    best = 0.0
    for place, pattern in enumerate(patterns):
        if not pattern:
            continue
        if header == pattern:
            found = 1.0
        elif header - noun and header - noun == pattern - noun and (pattern - noun != _ID or header & noun):
            found = 0.97
        elif pattern < header and not any(vocabulary.is_known(word) for word in header - pattern - noun):
            found = SURE * len(pattern) / len(header)
        else:
            continue
        best = max(best, found - 0.005 * place)
    return best


@cache
def known_header(header: str) -> bool:
    """True if a header surely matches a field of any entity."""
    means = vocabulary.meaning(header)
    return bool(means) and any(
        match(means, patterns, words.noun) >= SURE
        for words in vocabulary.entities().values()
        for patterns in words.fields.values()
    )


def known_headers(headers: Iterable[str]) -> int:
    """The number of different headers that surely match a field."""
    return sum(len(header) <= 80 and known_header(header) for header in set(headers))


def fits(field: Field, column: Column) -> bool:
    """True if the cells may be of the field's kind. Empty columns fit every kind."""
    if column.is_empty:
        return True
    if field.is_week and column.weeks >= _SHARE_OF_KIND:
        return True
    if field.kind in _DATES:
        # 2026 and 20261103 are valid numbers as well as dates.
        return column.dates >= _SHARE_OF_KIND and not (column.numbers == 1 and len(column.filled[0]) < 6)
    if field.kind in _NUMBERS:
        return column.numbers >= _SHARE_OF_KIND and not (column.dates == 1 and column.numbers < 1)
    if field.kind == "email":
        return column.addresses >= _SHARE_OF_KIND
    if field.kind == "stage":
        return column.numbers < _SHARE_OF_KIND and column.dates < _SHARE_OF_KIND and len(column.distinct) <= 60
    if field.name in _CODES:
        return all(len(cell) <= 60 and " " not in cell and "@" not in cell for cell in column.distinct[:200])
    if field.kind == "currency":
        return all(len(cell) <= 4 for cell in column.distinct[:50])
    if field.name.endswith("_name") or field.name in ("region", "status", "industry", "country"):
        return column.dates < _SHARE_OF_KIND and column.addresses < _SHARE_OF_KIND
    return column.dates < _SHARE_OF_KIND or column.numbers == 1


def _stage_bonus(field: Field, column: Column) -> float:
    """A bonus for a column of stages whose cells name ours, higher if won or lost is among them."""
    if field.kind != "stage":
        return 0.0
    said = _stages_of(field, column)
    return 0.5 * bool(said & {"won", "lost"}) + 0.3 * bool(said)


def _stages_of(field: Field, column: Column) -> set[str]:
    """Our stages that the cells of a column name."""
    said = {vocabulary.stage_of(cell, of_lead="mql" in field.values) for cell in column.distinct[:60]}
    return {stage for stage in said if stage}


def _by_cells(field: Field, column: Column) -> float:
    """Certainty that the cells alone match a field, if no header does."""
    if known_header(column.header) or column.is_empty:
        return 0.0
    if field.kind in _DATES and field.required:
        return _BY_CELLS if column.dates >= 0.95 and column.numbers < 1 else 0.0
    if field.kind == "email":
        return _BY_CELLS if column.addresses >= 0.95 else 0.0
    if field.kind != "stage" or not field.required:
        return 0.0
    # A column is a stage only if its cells name won and lost; a message such as "declined" is not one.
    return _BY_CELLS if {"won", "lost"} <= _stages_of(field, column) else 0.0


def _assigned(entity: Entity, words: EntityWords, columns: tuple[Column, ...]) -> dict[str, tuple[str, float]]:
    """Field → (header, certainty), the most certain pairs first; each header is used once, except for twins."""
    pairs = []
    for place, column in enumerate(columns):
        means = vocabulary.meaning(column.header)
        for name, patterns in words.fields.items():
            field = _field(entity, name)
            sure = match(means, patterns, words.noun) or _by_cells(field, column)
            is_gappy = field.required and name in entity.key and len(column.filled) < 0.9 * len(column.cells)
            if sure < LIKELY or column.is_empty or not fits(field, column) or (is_gappy and field.kind == "text"):
                continue
            if field.kind == "stage" and "stage" not in means and not _stages_of(field, column):
                # A status of another thing, such as that of a payment.
                continue
            pairs.append((sure + _stage_bonus(field, column), -place, name, column.header, sure))
    found: dict[str, tuple[str, float]] = {}
    for _, _, name, header, sure in sorted(pairs, reverse=True):
        holders = [other for other, (theirs, _) in found.items() if theirs == header]
        if name not in found and all((name, other) in _TWINS or (other, name) in _TWINS for other in holders):
            found[name] = (header, sure)
    return found


def _field(entity: Entity, name: str) -> Field:
    """A field of the entity, or one that exists only in the vocabulary, such as a price that makes an amount."""
    return entity.field(name) if name in entity.names else Field(name, "number")


def lacking(entity: Entity, mapped: Iterable[str]) -> list[str]:
    """Required fields that no column holds."""
    have = set(mapped)
    have |= {name for name, other in entity.fallbacks if other in have}
    missing = [field.name for field in entity.fields if field.required and field.name not in have]
    return missing + [group[0] for group in entity.any_of if not have & set(group)]


def _is_open(field: str, assigned: dict[str, tuple[str, float]], is_said: bool) -> bool:
    """True if a derivable field cannot be derived from these columns. `is_said`: words name the entity itself."""
    if field == "stage":
        return "won" not in vocabulary.meaning(assigned.get("closed_at", ("", 0))[0])
    needs = {"amount": {"unit_price"}, "line_no": {"product_id"}, "campaign_id": {"channel", "platform"}}
    if field == "lead_id":
        needs["lead_id"] = set(assigned) if is_said else {"email", "status", "person_id"}
    return field in needs and not needs[field] & set(assigned)


def _has_repeated_keys(entity: Entity, assigned: dict[str, tuple[str, float]], columns: tuple[Column, ...]) -> bool:
    """True if rows that should be separate records share a key."""
    if not entity.is_fixed or entity.name == "orders":
        return False
    headers = {assigned[name][0] for name in entity.key if name in assigned}
    keys = [column.cells for column in columns if column.header in headers]
    return bool(keys) and len(set(zip(*keys, strict=True))) < 0.95 * len(keys[0])


def recognise(
    columns: tuple[Column, ...], name: str, only: Iterable[str] | None = None, *, whole: bool = True
) -> list[Recognised]:
    """The entities that a table may hold, the likeliest first. `name` is that of its file and sheet.

    If they must be `whole`, entities without a required field that cannot be derived are left out.
    """
    said = set(re.findall(r"[a-z0-9]+", vocabulary.plain(name)))
    said |= {word.rstrip("s") for word in said}
    found = [
        _tried(ENTITIES[entity], words, columns, bool(words.files & said))
        for entity, words in vocabulary.entities().items()
        if only is None or entity in only
    ]
    kept = [one for one in found if one and not (one.lacking and whole)]
    return sorted(kept, key=lambda one: -one.score)


def _tried(entity: Entity, words: EntityWords, columns: tuple[Column, ...], is_named: bool) -> Recognised | None:
    """A table read as one entity; None without any evidence for it."""
    assigned = _assigned(entity, words, columns)
    typical = sum(sure for field, (_, sure) in assigned.items() if field in words.typical)
    if not assigned or not (typical or is_named):
        return None
    others = sum(sure for field, (_, sure) in assigned.items() if field not in words.typical)
    nouns = sum(bool(words.noun & vocabulary.meaning(column.header)) for column in columns)
    missing = lacking(entity, assigned)
    derivable = DERIVABLE.get(entity.name, set())
    gone = {field for field in missing if field not in derivable or _is_open(field, assigned, is_named or nouns > 0)}
    score = 2 * typical + others + 0.4 * min(nouns, 4) + 2.5 * is_named - 1.2 * len(missing)
    score -= _REPEATED * _has_repeated_keys(entity, assigned, columns)
    return Recognised(
        entity,
        {field: header for field, (header, _) in assigned.items()},
        {field: sure for field, (_, sure) in assigned.items()},
        score,
        tuple(sorted(gone)),
    )
