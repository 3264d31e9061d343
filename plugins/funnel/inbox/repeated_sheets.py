"""Finds sheets that repeat other sheets of their workbook: copies, a year next to its months, sums.

They would count everything twice.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from funnel.inbox import totals

MOST_VALUES = 100_000
# Names of sheets that may hold the sums of the others.
_WHOLE = {"all", "total", "totals", "grand total", "summary", "overview", "year", "ytd", "all months", "consolidated"}
_WHOLE |= {"gesamt", "summe", "übersicht", "resumen", "résumé", "resume", "totale", "totaal", "resumo"}


@dataclass
class Facts:
    """A summary of a sheet's rows: the number of each row, the sums of its measures, the values of its other cells."""

    measures: set[int]
    rows: Counter[int] = field(default_factory=Counter)
    sums: dict[int, Decimal] = field(default_factory=dict)
    texts: set[Any] = field(default_factory=set)
    days: list[date] = field(default_factory=list)
    is_summable: bool = True

    def add(self, cells: list[Any]) -> None:
        """Add a row; a total below the rows is ignored."""
        if any(isinstance(cell, str) and totals.is_total(cell) for cell in cells):
            return
        if all(cell is None for cell in cells):
            return
        self.rows[hash(tuple(map(_plain, cells)))] += 1
        for place, cell in enumerate(cells):
            if place in self.measures:
                self._sum(place, cell)
            elif isinstance(cell, (date, datetime)):
                day = cell.date() if isinstance(cell, datetime) else cell
                self.days = [min([*self.days, day]), max([*self.days, day])]
            elif cell is not None and len(self.texts) < MOST_VALUES:
                self.texts.add(_plain(cell))

    def _sum(self, place: int, cell: Any) -> None:
        try:
            self.sums[place] = self.sums.get(place, Decimal(0)) + Decimal(str(cell or 0))
        except InvalidOperation:
            self.is_summable = False


def _plain(cell: Any) -> Any:
    """A cell in the form used for comparison: 10 and 10.0 are equal."""
    if isinstance(cell, bool) or cell is None:
        return cell
    if isinstance(cell, (int, float)):
        return float(cell)
    return cell.strip() if isinstance(cell, str) else cell


def left_out(sheets: dict[str, Facts], by_sheet: bool) -> dict[str, str]:
    """The sheets that are not read, each with the reason. `by_sheet`: the sheet's name distinguishes equal rows."""
    left: dict[str, str] = {}
    # The largest first: of a year and its months the months are kept.
    for name in sorted(sheets, key=lambda one: -sheets[one].rows.total()):
        others = {other: facts for other, facts in sheets.items() if other != name and other not in left}
        if not others or not sheets[name].rows:
            continue
        if _repeats(sheets[name], list(others.values()), by_sheet):
            left[name] = f"its rows are also in {_listed(others)}"
    for name, facts in sheets.items():
        others = {other: found for other, found in sheets.items() if other != name and other not in left}
        if name not in left and others and _sums(name, facts, others):
            left[name] = f"its numbers are the sums of {_listed(others)}"
    return left


def _repeats(facts: Facts, others: list[Facts], by_sheet: bool) -> bool:
    together: Counter[int] = Counter()
    for other in others:
        together += other.rows
    if not facts.rows <= together:
        return False
    # If the sheet's name is part of a row, equal rows are different records; a sheet with all rows of several others is
    # their collection.
    return not by_sheet or (len([one for one in others if one.rows]) > 1 and facts.rows == together)


def _sums(name: str, facts: Facts, others: dict[str, Facts]) -> bool:
    every = [facts, *others.values()]
    if not facts.sums or not all(one.is_summable for one in every) or not any(facts.sums.values()):
        return False
    for place, summed in facts.sums.items():
        if summed != sum((other.sums.get(place, Decimal(0)) for other in others.values()), Decimal(0)):
            return False
    is_shorter = facts.rows.total() < sum(other.rows.total() for other in others.values())
    if not is_shorter:
        return False
    texts = set().union(*(other.texts for other in others.values()), others)
    days = [day for other in others.values() for day in other.days]
    within = all(days and min(days) <= day <= max(days) for day in facts.days)
    return name.strip().lower() in _WHOLE or (within and facts.texts <= texts)


def _listed(names: dict[str, Any]) -> str:
    shown = list(names)
    return ", ".join(map(repr, shown[:6])) + (f" and {len(shown) - 6} more" if len(shown) > 6 else "")
