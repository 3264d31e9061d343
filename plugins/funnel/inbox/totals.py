"""Totals: lines of an export that sum other lines and are not records."""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from funnel.inbox.cell_bytes import beginning_with
from funnel.inbox.entities import Entity
from funnel.inbox.repeats import ADDITIVE
from funnel.inbox.spool import Spool

REASON = "is a total, not a record"
_WORD = (
    r"(?:grand|sub|overall|report|account|campaign)?[ -]?totals?|sum|summe|gesamt(?:summe|ergebnis|e?s)?|zwischensumme|"
    r"insgesamt|endsumme|total (?:g[ée]n[ée]rale?|geral|general|generale|compte)|totaux|sous-total|ensemble|"
    r"totale|totali|subtotale?|totaal|subtotaal|eindtotaal|totalt|summa|yhteensä|i alt|razem|suma|ogółem|celkem|"
    r"součet|összesen|toplam|genel toplam|итого|всего|合计|总计|合計|総計|小計"
)
_TAIL = r"(?:\s*:.*|\s*[-\u2013]\s*\d+.*|\s*\(\d[\d.,]*\)|\s+\d[\d.,]*(?:\s+\w+)?)?"
_RESULTS = r"(?:results|resultados|résultats|ergebnisse|ergebnis)\s+(?:from|of|de|aus|von)\s+\d[\d.,]*(?:\s+\w+)?"
_TOTAL = re.compile(rf"(?:{_WORD}){_TAIL}|{_RESULTS}", re.IGNORECASE)
# The first bytes (UTF-8) of such a text: a column without them is skipped.
_FIRST = b"gGsSoOrRaAcCtTzZiIeEyY" + bytes({word.encode()[0] for word in "\u0438\u0432\u0418\u0412ö合总総小"})


@lru_cache(100_000)
def is_total(text: str) -> bool:
    """True if a text names a total and nothing else. "Total Wine" is a company's name."""
    return _TOTAL.fullmatch(text.strip()) is not None


def by_words(
    columns: dict[str, Any], texts: dict[str, Any], entity: Entity, key: tuple[str, ...], stated: set[str]
) -> list[tuple[int, str]]:
    """(row, column) of totals recognised by their words: the other columns of the key are empty, constant or days.

    `texts` are the original cells: of columns of days, in which a total has its word instead of a day, and of the first
    column if the manifest does not map it.
    """
    days = {each.name for each in entity.fields if each.kind in ("date", "moment", "month")}
    ours = {each.name: columns[each.name] for each in entity.fields if each.kind == "text" and each.name in columns}
    found = []
    for name, column in (*ours.items(), *texts.items()):
        if name in stated:
            continue
        places = pa.array(beginning_with(column, _FIRST))
        begun = column.take(places)
        coded = begun.dictionary_encode()
        wanted = [number for number, text in enumerate(coded.dictionary.to_pylist()) if text and is_total(text)]
        if not wanted:
            continue
        others = [one for one in key if one in columns and one not in (name, *days, *stated)]
        for place in places.filter(pc.is_in(coded.indices, value_set=pa.array(wanted, coded.indices.type))).to_pylist():
            if all(_is_nothing(columns[one][place].as_py()) for one in others):
                found.append((place, name))
    return found


def _is_nothing(text: str | None) -> bool:
    """True if a cell names no record: it is empty, or holds dashes or a word for a total."""
    return text is None or not text.strip(" -\u2013\u2014") or is_total(text)


def last_line(last: dict[str, Any], spool: Spool, entity: Entity, key: tuple[str, ...], stated: set[str]) -> int | None:
    """The line of the `last` row if it names nothing and all its measures equal the sums of the rows above."""
    days = {each.name for each in entity.fields if each.kind in ("date", "moment", "month")}
    measured = [name for name in ADDITIVE.get(entity.name, ()) if last.get(name) is not None]
    named = [last[name] for name in key if name in last and name not in days and name not in stated]
    if not measured or not all(map(_is_nothing, named)):
        return None
    sums = dict.fromkeys(measured, Decimal(0))
    above = 0
    for batch in spool.batches():
        others = batch.filter(pc.not_equal(batch.column("_line"), last["_line"]))
        above += others.num_rows
        for name in measured:
            sums[name] += sum(
                (Decimal(text) for text in others.column(name).to_pylist() if text is not None), Decimal(0)
            )
    is_sum = above >= 2 and any(sums.values()) and all(sums[name] == Decimal(last[name]) for name in measured)
    return int(last["_line"]) if is_sum else None
