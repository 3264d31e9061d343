"""How the numbers and dates of a file are written: stated by the manifest, or learnt from all of its cells."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from funnel.inbox import values
from funnel.inbox.blocks import TYPED, Block, Refused
from funnel.inbox.cell_bytes import is_all_digits
from funnel.inbox.layout import Layout
from funnel.inbox.manifest import StreamSpec

DISTINCT_DATES = 200_000
DATES = ("date", "moment", "month")
NUMBERS = ("number", "integer", "share")


@dataclass(frozen=True)
class Reading:
    """What is stated or was learnt of a file."""

    decimal: str
    thousands: str | None
    formats: dict[str, str | None]
    percents: frozenset[str]


class Evidence:
    """What the cells seen so far prove about how numbers and dates are written, where the manifest does not say."""

    def __init__(self, spec: StreamSpec, layout: Layout, mapping: dict[str, str]) -> None:
        self.spec, self.mapping, self.has_types = spec, mapping, layout.has_types
        fields = {name: spec.entity.field(name) for name in mapping}
        self.months = {name for name, each in fields.items() if each.kind == "month"}
        self.dates = [name for name, each in fields.items() if each.kind in DATES and name not in spec.date_formats]
        self.numbers = [name for name, each in fields.items() if each.kind in NUMBERS]
        self.shares = [name for name in self.numbers if fields[name].kind == "share"]
        self.asks_sign = bool(self.numbers) and spec.decimal is None
        self.seen: dict[str, set[str]] = {name: set() for name in self.dates}
        self.points = self.commas = self.unclear = 0
        self.example = ""
        self.largest: dict[str, float] = dict.fromkeys(self.shares, 0.0)

    def watched(self, blocks: Iterator[Block]) -> Iterator[Block]:
        """The same blocks, each looked at before it is passed on."""
        for block in blocks:
            self._look_at(block)
            yield block

    def _look_at(self, block: Block) -> None:
        for name in self.dates:
            if len(self.seen[name]) < DISTINCT_DATES:
                self.seen[name] |= _distinct(block.columns[self.mapping[name]], self.spec, name)
        for name in self.numbers if self.asks_sign else ():
            self._look_for_signs(block.columns[self.mapping[name]])
        for name in self.shares:
            plain = pc.replace_substring(block.columns[self.mapping[name]], TYPED, "")
            plain = pc.utf8_trim_whitespace(plain)
            plain = plain.filter(pc.match_substring_regex(plain, r"^[0-9]{1,3}([.,][0-9]+)?$"))
            if len(plain):
                highest = pc.max(pc.cast(pc.replace_substring(plain, ",", "."), pa.float64())).as_py()
                self.largest[name] = max(self.largest[name], highest)

    def _look_for_signs(self, column: Any) -> None:
        if self.has_types:
            column = column.filter(pc.invert(pc.ends_with(column, TYPED)))
        if is_all_digits(column):
            return
        odd = column.filter(pc.or_(pc.match_substring(column, "."), pc.match_substring(column, ",")))
        if not len(odd):
            return
        points = pc.sum(pc.match_substring_regex(odd, values.POINT_PROOF)).as_py()
        self.points += points
        if points == len(odd):
            return
        self.commas += pc.sum(pc.match_substring_regex(odd, values.COMMA_PROOF)).as_py()
        unclear = odd.filter(pc.match_substring_regex(odd, values.UNCLEAR_NUMBER))
        self.unclear += len(unclear)
        self.example = self.example or (unclear[0].as_py().strip() if len(unclear) else "")

    def reading(self) -> Reading:
        """What it comes to. Raises Refused where it may be read in two ways."""
        decimal = self.spec.decimal or "."
        formats: dict[str, str | None] = dict(self.spec.date_formats)
        try:
            if self.asks_sign:
                decimal = values.decimal_sign(self.points, self.commas, self.unclear, self.example)
            for name in self.dates:
                formats[name] = values.date_format(self.seen[name], name, months=name in self.months)
        except values.Unclear as unclear:
            raise Refused(str(unclear)) from None
        percents = frozenset(name for name, highest in self.largest.items() if highest > 1)
        return Reading(decimal, self.spec.thousands, formats, percents)


def describe(reading: Reading, spec: StreamSpec, mapping: dict[str, str]) -> dict[str, Any]:
    """A reading as the settings one could state in the manifest."""
    settings: dict[str, Any] = {}
    if any(spec.entity.field(name).kind in NUMBERS for name in mapping):
        settings["decimal"] = reading.decimal
    formats = {name: stated for name, stated in reading.formats.items() if name in mapping and stated}
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
        if text and text not in nulls and not values.SPREADSHEET_ERRORS.match(text):
            found.add(text)
    return found
