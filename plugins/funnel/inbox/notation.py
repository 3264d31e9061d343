"""Formats of numbers and dates in a folder: what a manifest must state because the files are ambiguous."""

import re

from funnel.inbox import amounts, errors, moments, vocabulary
from funnel.inbox.contents import Column
from funnel.inbox.entities import Entity
from funnel.inbox.exploration import Table
from funnel.inbox.proposed_columns import COUNTS, Noted, has_money, headers_of

_NUMERIC_DATE = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})(?:[ T,].*)?")
_THOUSANDS = re.compile(
    r"\bk\s?[€$£]|\bT€|\bT(?:EUR|USD|CHF|GBP)\b|thousand|\(000s?\)|\bTsd\b|\bmilliers\b|\bmiles\b|\bx ?1[.,]?000\b"
)


def date_order(tables: list[Table]) -> str | None:
    """`day` or `month`: the first part of the folder's dates with slashes, if a cell proves it."""
    firsts = seconds = commas = points = 0
    for table in tables:
        for column in table.columns:
            sign = column.decimal
            commas, points = commas + (sign == ","), points + (sign == ".")
            found = [match for cell in column.distinct[:2000] if (match := _NUMERIC_DATE.fullmatch(cell))]
            firsts += any(int(match[1]) > 12 for match in found)
            seconds += any(int(match[3]) > 12 for match in found)
    if bool(firsts) != bool(seconds):
        return "day" if firsts else "month"
    return "day" if commas > points else None


def date_format(column: Column, months: bool, order: str | None) -> Noted | None:
    """The format to state for a column that can be read in two ways."""
    try:
        moments.date_format(column.filled, "", months=months)
    except errors.Unclear:
        pass
    else:
        return None
    matches = [match for cell in column.distinct if (match := _NUMERIC_DATE.fullmatch(cell))]
    if not matches:
        return None
    found = matches[0]
    sign, year = found[2], "%Y" if len(found[4]) == 4 else "%y"
    readings = {"day": f"%d{sign}%m{sign}{year}", "month": f"%m{sign}%d{sign}{year}"}
    # Exports span more days than months.
    varies = len({match[1] for match in matches}) - len({match[3] for match in matches})
    chosen = order or ("day" if sign == "." or varies > 0 else "month")
    other = readings["month" if chosen == "day" else "day"]
    why = "as other dates of the folder are written" if order else "a guess"
    return Noted(readings[chosen], f"{found[0]} may be {readings[chosen]} or {other}; this is {why}")


def reading(table: Table, columns: dict[str, Noted], entity: Entity) -> dict[str, Noted]:
    """Settings of numbers: the currency and the scale that headers and cells name."""
    found: dict[str, Noted] = {}
    numbers = [
        (name, header)
        for name, header in headers_of(columns)
        if entity.field(name).kind == "number" and header in table.headers
    ]
    scales = {name: Noted("thousands") for name, header in numbers if _THOUSANDS.search(header)}
    scales |= {name: Noted("micros") for name, header in numbers if "micros" in vocabulary.plain(header)}
    if scales:
        found["scale"] = Noted(scales)
    for name, header in numbers:
        code = vocabulary.currency_of(header) if name not in COUNTS else None
        code = code or next(filter(None, map(vocabulary.currency_of, table.column(header).distinct[:200])), None)
        if code and name not in COUNTS:
            found["currency"] = Noted(code)
    if "currency" not in found and has_money(columns, entity):
        named = re.search(r"(?im)^\W*(?:currency|währung|devise|moneda|valuta)\W+([A-Z]{3})\b", table.above)
        if named:
            found["currency"] = Noted(named[1].upper())
        elif any("$" in cell for _, header in numbers for cell in table.column(header).distinct[:200]):
            found["currency"] = Noted("USD", "the cells have a $, which other dollar currencies also use")
    signs = {table.column(header).decimal for _, header in numbers} - {None}
    if numbers and not signs:
        texts = [cell for _, header in numbers for cell in table.column(header).distinct[:2000]]
        if any(re.search(amounts.UNCLEAR_NUMBER, cell) for cell in texts):
            found["decimal"] = Noted(".", "1,234 may be a thousand times less: no number in the file decides it")
    return found
