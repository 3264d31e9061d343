"""Formats of the numbers and dates of a file: stated by the manifest, or inferred from all of its cells."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from funnel.inbox import amounts, cell_values, errors, moments
from funnel.inbox.blocks import TYPED, Block
from funnel.inbox.cell_bytes import is_all_digits, may_have_words
from funnel.inbox.errors import Refused
from funnel.inbox.manifest import StreamSpec

DISTINCT_DATES = 200_000
DATES = ("date", "moment", "month")
NUMBERS = ("number", "integer", "share")


@dataclass(frozen=True)
class Reading:
    """The stated or inferred formats of a file."""

    decimal: str
    thousands: str | None
    formats: dict[str, tuple[str, ...]]
    percents: frozenset[str]
    # Shares of which only some cells are fractions; moments with a time in some row; numbers next to typed ones that
    # can be read in two ways; amounts that name a currency.
    mixed: frozenset[str] = frozenset()
    timed: frozenset[str] = frozenset()
    quarantines_unclear: bool = False
    has_marks: bool = False


class Evidence:
    """What the cells read so far prove about the formats of numbers and dates that the manifest does not state."""

    def __init__(self, spec: StreamSpec, has_types: bool, mapping: dict[str, str], parts: tuple[str, ...] = ()) -> None:
        self.spec, self.mapping, self.has_types = spec, mapping, has_types
        fields = {name: spec.entity.field(name) for name in mapping}
        self.months = {name for name, each in fields.items() if each.kind == "month"}
        self.dates = [name for name, each in fields.items() if each.kind in DATES and name not in spec.date_formats]
        self.numbers = [name for name, each in fields.items() if each.kind in NUMBERS]
        self.shares = [name for name in self.numbers if fields[name].kind == "share"]
        self.parts = parts
        self.asks_sign = bool(self.numbers or parts) and spec.decimal is None
        self.seen: dict[str, set[str]] = {name: set() for name in self.dates}
        self.points = self.commas = self.unclear = 0
        self.example = ""
        # For each column of shares: the number of cells that are fractions, and of cells above 1.
        self.fractions: dict[str, int] = dict.fromkeys(self.shares, 0)
        self.percentages: dict[str, int] = dict.fromkeys(self.shares, 0)
        # A typed cell at midnight is a day, whatever the other cells of its column contain.
        self.moments = [] if has_types else [name for name in self.dates if fields[name].kind == "moment"]
        self.typed = 0
        self.has_marks = False

    def watched(self, blocks: Iterator[Block]) -> Iterator[Block]:
        """The same blocks; each is examined before it is passed on."""
        for block in blocks:
            self._look_at(block)
            yield block

    def _look_at(self, block: Block) -> None:
        for name in self.dates:
            if len(self.seen[name]) < DISTINCT_DATES:
                self.seen[name] |= _distinct(block.columns[self.mapping[name]], self.spec, name)
        for name in self.numbers:
            plain = block.columns[self.mapping[name]]
            plain = pc.replace_substring(plain, TYPED, "") if self.has_types else plain
            self.has_marks = self.has_marks or may_have_words(plain)
            if self.asks_sign:
                self._look_for_signs(block.columns[self.mapping[name]])
        for header in self.parts:
            plain = pc.replace_substring(block.columns[header], TYPED, "")
            self.has_marks = self.has_marks or may_have_words(plain)
            if self.asks_sign:
                self._look_for_signs(block.columns[header])
        for name in self.shares:
            plain = pc.replace_substring(block.columns[self.mapping[name]], TYPED, "")
            plain = pc.utf8_trim_whitespace(plain)
            plain = plain.filter(pc.match_substring_regex(plain, r"^[0-9]{1,3}([.,][0-9]+)?$"))
            if len(plain):
                numbers = pc.cast(pc.replace_substring(plain, ",", "."), pa.float64())
                more = pc.sum(pc.greater(numbers, 1)).as_py()
                self.percentages[name] += more
                self.fractions[name] += pc.sum(pc.greater(numbers, 0)).as_py() - more
                self.fractions[name] -= pc.sum(pc.equal(numbers, 1)).as_py()

    def _look_for_signs(self, column: Any) -> None:
        if self.has_types:
            is_typed = pc.fill_null(pc.ends_with(column, TYPED), False)
            self.typed += pc.sum(is_typed).as_py() or 0
            column = column.filter(pc.invert(is_typed))
        if is_all_digits(column):
            return
        odd = column.filter(pc.or_(pc.match_substring(column, "."), pc.match_substring(column, ",")))
        if not len(odd):
            return
        points = pc.sum(pc.match_substring_regex(odd, amounts.POINT_PROOF)).as_py()
        self.points += points
        if points == len(odd):
            return
        self.commas += pc.sum(pc.match_substring_regex(odd, amounts.COMMA_PROOF)).as_py()
        unclear = odd.filter(pc.match_substring_regex(odd, amounts.UNCLEAR_NUMBER))
        self.unclear += len(unclear)
        self.example = self.example or (unclear[0].as_py().strip() if len(unclear) else "")

    def reading(self) -> Reading:
        """The formats that follow from the evidence. Raises Refused if there are two possibilities."""
        decimal = self.spec.decimal or "."
        formats = dict(self.spec.date_formats)
        # Text numbers next to typed ones are few: unclear ones go to quarantine, and the file is not refused.
        leaves_unclear = bool(self.typed and self.unclear and not self.points and not self.commas)
        try:
            if self.asks_sign and not leaves_unclear:
                decimal = amounts.decimal_sign(self.points, self.commas, self.unclear, self.example)
            for name in self.dates:
                if self.has_types:
                    moments.refuse_swapped(self.seen[name], name)
                found = moments.date_format(self.seen[name], name, months=name in self.months)
                formats[name] = (found,) if found else ()
        except errors.Unclear as unclear:
            raise Refused(str(unclear)) from None
        return Reading(
            decimal,
            self.spec.thousands,
            formats,
            frozenset(name for name in self.shares if self.percentages[name] > self.fractions[name]),
            frozenset(name for name in self.shares if self.percentages[name] and self.fractions[name]),
            frozenset(name for name in self.moments if any(map(moments.has_time, self.seen[name]))),
            leaves_unclear,
            self.has_marks,
        )


def describe(reading: Reading, spec: StreamSpec, mapping: dict[str, str]) -> dict[str, Any]:
    """The formats as the settings that the manifest could state."""
    settings: dict[str, Any] = {}
    if any(spec.entity.field(name).kind in NUMBERS for name in mapping):
        settings["decimal"] = reading.decimal
    formats = {name: " or ".join(stated) for name, stated in reading.formats.items() if name in mapping and stated}
    if formats:
        settings["date_format"] = formats
    if reading.percents:
        settings["percentages"] = sorted(reading.percents)
    return settings


def _distinct(column: Any, spec: StreamSpec, name: str) -> set[str]:
    corrections, nulls = spec.maps.get(name, {}), set(spec.nulls)
    found = set()
    for text in pc.unique(column).to_pylist():
        text = (text or "").replace(TYPED, "").strip()
        text = corrections.get(text, text) or ""
        if text and text not in nulls and not cell_values.SPREADSHEET_ERRORS.match(text):
            found.add(text)
    return found
