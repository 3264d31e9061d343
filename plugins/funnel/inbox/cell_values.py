"""Cells: numbers, dates and texts as people and programs write them, read without guessing.

The whole column is examined before it is read, for the decimal sign and the order of day and month. If neither the
column nor the manifest decides it, the file is refused (FIL-3).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from funnel.inbox import currencies
from funnel.inbox.errors import BadCell

SPREADSHEET_ERRORS = re.compile(
    r"#(REF!|DIV/0!|N/A|VALUE!|NAME\?|NUM!|NULL!|SPILL!|CALC!|FIELD!|BLOCKED!|GETTING_DATA)"
)


def stage(text: str, known: tuple[str, ...]) -> str:
    """One of our stages. Raises BadCell."""
    lowered = text.lower().replace(" ", "_")
    if lowered not in known:
        raise BadCell(f"is not one of our stages ({', '.join(known)}); name it in the manifest's map")
    return lowered


def currency(text: str) -> str:
    """An ISO 4217 code. Raises BadCell."""
    if text.upper() not in currencies.CODES:
        raise BadCell("is not an ISO 4217 code of a currency; name it in the manifest's map")
    return text.upper()


@dataclass
class Remembered:
    """A cached reader of cells: exports repeat their days and stages."""

    read: Callable[[str], str]
    limit: int = 200_000

    def __post_init__(self) -> None:
        self.known: dict[str, tuple[str | None, str | None]] = {}

    def __call__(self, text: str) -> tuple[str | None, str | None]:
        """(value, None) or (None, reason)."""
        found = self.known.get(text)
        if found is None:
            try:
                found = (self.read(text), None)
            except BadCell as error:
                found = (None, str(error))
            if len(self.known) >= self.limit:
                self.known.clear()
            self.known[text] = found
        return found
