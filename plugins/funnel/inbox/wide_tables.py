"""Tables with a column for each month or week, such as budgets and retailers' sheets.

Each of those columns becomes a stream: its amount is that column, its month a constant (FIL-15). For recognition such a
table is treated as if it had one column of months and one of amounts.
"""

import glob
import re
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise

from funnel.inbox import errors, moments
from funnel.inbox.contents import Column
from funnel.inbox.exploration import Table
from funnel.inbox.proposed_columns import Noted, Proposed
from funnel.inbox.recognition import Recognised
from funnel.inbox.repeats import ADDITIVE

# A table is wide from FEWEST such columns on. Above MOST the manifest would be too long to review.
FEWEST, MOST = 3, 60
MONTH, DAY, WEEK = "Month", "Date", "Week start"
AMOUNTS = ("Amount", "Units sold")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d{2}(?!\d)")
_MIDNIGHT = re.compile(r"[T ]00:00(:00)?$")


@dataclass(frozen=True, kw_only=True)
class WideTable(Table):
    """A wide table in the form of a long one: one column of months or days, one of amounts.

    `spread` holds the first day of each combined column, by its header, `original` the table as it is.
    """

    original: Table
    spread: dict[str, date]
    label: str
    amount: str


def narrowed(table: Table) -> Iterator[WideTable]:
    """The table with its columns of months or days combined, once for each name that its amounts may have."""
    for label in (MONTH, DAY):
        spread = _spread(table, label)
        if not FEWEST <= len(spread) <= MOST or len(set(spread.values())) < len(spread):
            continue
        amounts = next(column for column in table.columns if column.header in spread)
        others = tuple(column for column in table.columns if column.header not in spread)
        days = sorted(spread.values())
        label = WEEK if label == DAY and {(b - a).days % 7 for a, b in pairwise(days)} == {0} else label
        first = next(iter(spread.values()))
        given = {name: getattr(table, name) for name in Table.__dataclass_fields__}
        # Whole numbers are rather quantities than money, if an entity has both.
        is_whole = all(re.fullmatch(r"\d*", cell) for header in spread for cell in table.column(header).cells)
        for name in reversed(AMOUNTS) if is_whole and label != MONTH else AMOUNTS:
            if {label, name} & {column.header for column in others}:
                continue
            long = (
                Column(label, (_written(first, label),) * len(amounts.cells)),
                Column(name, amounts.cells, amounts.further),
            )
            columns = {"columns": (*others, *long)}
            yield WideTable(**{**given, **columns}, original=table, spread=spread, label=label, amount=name)


def _written(day: date, label: str) -> str:
    return f"{day:%Y-%m}" if label == MONTH else day.isoformat()


def _spread(table: Table, label: str) -> dict[str, date]:
    """The headers that are months (or days) above columns of numbers, each with its first day."""
    year = next(iter(_YEAR.findall(f"{table.sheet or ''} {table.path} {table.above[:200]}")), None)
    texts: dict[str, str] = {}
    for column in table.columns:
        if column.is_empty or column.numbers < 0.9:
            continue
        text = _MIDNIGHT.sub("", column.header.strip())
        if label == MONTH:
            text = re.sub(r"^(\d{4}-\d{2})-01$", r"\1", text)
            # A month name without a year belongs to the year that the file or sheet names.
            text = f"{text} {year}" if year and re.fullmatch(r"[^\W\d]{3,}\.?", text) else text
        if re.search(r"\d", text) and not re.fullmatch(r"\d+([.,]\d+)?", text):
            texts[column.header] = text
    try:
        stated = moments.date_format(texts.values(), "", months=label == MONTH)
    except errors.Unclear:
        return {}
    if label == MONTH and stated and "%d" in stated and stated != "%Y-%m-%d":
        return {}
    read = moments.month if label == MONTH else moments.day
    found: dict[str, date] = {}
    for header, text in texts.items():
        with suppress(errors.BadCell):
            found[header] = date.fromisoformat(read(text, stated))
    return found


def is_read(one: Recognised, table: WideTable) -> bool:
    """True if an entity uses both the month and the amount."""
    return {table.label, table.amount} <= set(one.columns.values())


def expanded(stream: Proposed, table: WideTable) -> list[Proposed]:
    """A stream for each of the columns, for this file only: another year's file has other months."""
    made: list[Proposed] = []
    for header, day in table.spread.items():
        columns: dict[str, Noted] = {}
        for name, noted in stream.columns.items():
            if noted.value == table.label:
                columns[name] = Noted({"value": _written(day, table.label)})
            else:
                of_first = None if made else f"the file does not say what its columns of {table.label.lower()}s hold"
                columns[name] = Noted(header, of_first) if noted.value == table.amount else deepcopy(noted)
        settings = deepcopy(stream.settings)
        formats = settings.get("date_format")
        if formats and isinstance(formats.value, dict):
            formats.value = {name: each for name, each in formats.value.items() if columns[name].value == header}
            if not formats.value:
                del settings["date_format"]
        amount = next(name for name, noted in columns.items() if noted.value == header)
        if amount in ADDITIVE.get(stream.entity, ()) and not all(table.original.column(header).cells):
            settings["default"] = Noted({amount: 0}, f"empty cells of {header} are taken for 0")
        notes = stream.notes if not made else []
        path = glob.escape(table.path)
        made.append(
            replace(stream, path=path, columns=columns, settings=settings, notes=list(notes), left=list(stream.left))
        )
    return made
