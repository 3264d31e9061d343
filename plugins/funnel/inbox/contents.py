"""What the cells of a column look like: dates, numbers, addresses, ids that repeat. Evidence for `recognition`."""

import re
from dataclasses import dataclass
from functools import cached_property
from zoneinfo import ZoneInfo

from funnel.inbox import amounts, errors, moments

EXAMPLES = 300
# What exports write where there is nothing.
NOTHING = frozenset(
    {"-", "--", "---", "\u2013", "\u2014", "n/a", "N/A", "null", "NULL", "None", "(blank)", "(not set)", "k. A."}
)


@dataclass(frozen=True)
class Column:
    """The cells of one column, as far as they were looked at, in order; empty ones are empty texts.

    `further` are different cells that stand below, of columns that hold few.
    """

    header: str
    cells: tuple[str, ...]
    further: tuple[str, ...] = ()

    @cached_property
    def filled(self) -> tuple[str, ...]:
        return tuple(cell for cell in self.cells if cell and cell not in NOTHING)

    @cached_property
    def distinct(self) -> tuple[str, ...]:
        further = (cell for cell in self.further if cell and cell not in NOTHING)
        return tuple(dict.fromkeys((*self.filled, *further)))

    @property
    def is_empty(self) -> bool:
        return not self.filled

    @property
    def is_unique(self) -> bool:
        return len(self.filled) == len(self.cells) == len(self.distinct)

    @cached_property
    def dates(self) -> float:
        """Share of the cells that are dates or months."""
        texts = self.distinct[:EXAMPLES]
        return max((_share_of_dates(texts, months) for months in (False, True)), default=0.0)

    @cached_property
    def weeks(self) -> float:
        """Share of the cells that name a week of the calendar."""
        texts = self.distinct[:EXAMPLES]
        return sum(bool(_named_week(text)) for text in texts) / len(texts) if texts else 0.0

    @cached_property
    def numbers(self) -> float:
        """Share of the cells that are numbers, by one sign of decimals or the other."""
        texts = self.distinct[:EXAMPLES]
        return max(sum(_is_number(text, sign) for text in texts) for sign in ".,") / len(texts) if texts else 0.0

    @cached_property
    def decimal(self) -> str | None:
        """The sign before the decimals, where a cell proves it."""
        texts = [cell for cell in self.distinct[:2000] if re.search(r"[.,]", cell)]
        points = sum(bool(re.search(amounts.POINT_PROOF, cell)) for cell in texts)
        commas = sum(bool(re.search(amounts.COMMA_PROOF, cell)) for cell in texts)
        return None if points == commas else ("." if points > commas else ",")

    @cached_property
    def addresses(self) -> float:
        texts = self.distinct[:EXAMPLES]
        return sum("@" in text for text in texts) / len(texts) if texts else 0.0


def _share_of_dates(texts: tuple[str, ...], months: bool) -> float:
    if not texts:
        return 0.0
    try:
        stated = moments.date_format(texts, "", months=months)
    except errors.Unclear:
        return 1.0
    read = 0
    for text in texts:
        if months and re.fullmatch(r"\d{4}-\d{2}", text):
            read += 1
            continue
        try:
            if months:
                moments.month(text, stated)
            else:
                moments.moment(text, stated, ZoneInfo("UTC"))
            read += 1
        except errors.BadCell:
            continue
    return read / len(texts)


def _named_week(text: str) -> str | None:
    try:
        return moments.week(text)
    except errors.BadCell:
        return None


def _is_number(text: str, decimal: str) -> bool:
    try:
        amounts.amount(text.removesuffix("%"), decimal, None)
    except errors.BadCell:
        return False
    return True
