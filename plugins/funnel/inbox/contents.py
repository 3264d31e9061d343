"""Statistics of the cells of a column: dates, numbers, addresses, repeated ids. `recognition` uses them as evidence."""

import re
from dataclasses import dataclass
from functools import cached_property
from zoneinfo import ZoneInfo

from funnel.inbox import amounts, errors, moments

EXAMPLES = 300
# Texts that exports write for an empty value.
NOTHING = frozenset(
    {"-", "--", "---", "\u2013", "\u2014", "n/a", "N/A", "null", "NULL", "None", "(blank)", "(not set)", "k. A."}
)


@dataclass(frozen=True)
class Column:
    """The cells of one column that were examined, in order; empty cells are empty texts.

    `further` are other values from lower rows, for columns with few different values.
    """

    header: str
    cells: tuple[str, ...]
    further: tuple[str, ...] = ()

    @cached_property
    def filled(self) -> tuple[str, ...]:
        """The cells that hold a value."""
        return tuple(cell for cell in self.cells if cell and cell not in NOTHING)

    @cached_property
    def distinct(self) -> tuple[str, ...]:
        """The different values, in order of their first occurrence."""
        further = (cell for cell in self.further if cell and cell not in NOTHING)
        return tuple(dict.fromkeys((*self.filled, *further)))

    @property
    def is_empty(self) -> bool:
        """True if no examined cell holds a value."""
        return not self.filled

    @property
    def is_unique(self) -> bool:
        """True if every cell holds a value and none occurs twice."""
        return len(self.filled) == len(self.cells) == len(self.distinct)

    @cached_property
    def dates(self) -> float:
        """Share of the values that are dates or months (0 to 1)."""
        texts = self.distinct[:EXAMPLES]
        return max((_share_of_dates(texts, months) for months in (False, True)), default=0.0)

    @cached_property
    def weeks(self) -> float:
        """Share of the values that are calendar weeks (0 to 1)."""
        texts = self.distinct[:EXAMPLES]
        return sum(bool(_named_week(text)) for text in texts) / len(texts) if texts else 0.0

    @cached_property
    def numbers(self) -> float:
        """Share of the values that are numbers with the same decimal sign (0 to 1)."""
        texts = self.distinct[:EXAMPLES]
        return max(sum(_is_number(text, sign) for text in texts) for sign in ".,") / len(texts) if texts else 0.0

    @cached_property
    def decimal(self) -> str | None:
        """The decimal sign, if the cells prove one; otherwise None."""
        texts = [cell for cell in self.distinct[:2000] if re.search(r"[.,]", cell)]
        points = sum(bool(re.search(amounts.POINT_PROOF, cell)) for cell in texts)
        commas = sum(bool(re.search(amounts.COMMA_PROOF, cell)) for cell in texts)
        return None if points == commas else ("." if points > commas else ",")

    @cached_property
    def addresses(self) -> float:
        """Share of the values that contain @ (0 to 1)."""
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
