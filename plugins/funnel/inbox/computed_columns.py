"""Columns that a file does not contain: keys from rows, sums, joined texts, constants.

All functions work on Arrow columns of texts; only sums are computed row by row, exactly.
"""

import hashlib
from collections.abc import Callable, Iterable
from decimal import Decimal, DecimalException
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from funnel.inbox.amounts import Amount
from funnel.inbox.column_formulas import Template, calculation
from funnel.inbox.errors import BadCell

TEXT = pa.string()
# Columns that determine the channel of a row, the most certain first.
CHANNEL_BY = ("platform", "lead_source", "utm_source", "campaign_name", "utm_campaign")
CAMPAIGNS = ("campaign_id", "campaign_name", "utm_campaign")
_DECIMALS = Decimal("1e-12")


def joined(made: Template, columns: list[Any]) -> Any:
    """The joined text of each row; null if all parts are empty."""
    rows = zip(*(column.to_pylist() for column in columns), strict=True)
    return pa.array([made.filled(cells) for cells in rows], TEXT)


def computed(
    made: Template, columns: list[Any], read: Callable[[str], Amount], *, is_money: bool
) -> tuple[Any, dict[int, str]]:
    """The sum of each row, null if a part is empty, and the reason for rows that cannot be computed.

    A currency next to a part becomes the currency of the sum, if the sum is money.
    """
    calculate = calculation(made)
    values: list[str | None] = []
    wrong: dict[int, str] = {}
    for place, cells in enumerate(zip(*(column.to_pylist() for column in columns), strict=True)):
        value = None
        try:
            if all(cell is not None for cell in cells):
                parts = {header: read(cell) for header, cell in zip(made.headers, cells, strict=True)}
                value = plain(calculate({header: Decimal(part.value) for header, part in parts.items()}))
                mark = _mark_of(parts.values(), is_money=is_money)
                value = f"{value} {mark}" if mark else value
        except (DecimalException, ZeroDivisionError):
            wrong[place] = f"cannot be computed as {made.text!r}: a division by zero, or a number out of range"
        except BadCell as error:
            wrong[place] = f"cannot be computed as {made.text!r}: a part {error}"
        values.append(value)
    return pa.array(values, TEXT), wrong


def _mark_of(parts: Iterable[Amount], *, is_money: bool) -> str | None:
    """The currency next to the parts of a sum. Raises BadCell if they differ."""
    if any(part.is_percent for part in parts):
        raise BadCell("is a percentage, which only rates and probabilities can be")
    marks = {part.mark for part in parts if part.mark}
    if len(marks) > 1:
        raise BadCell(f"names another currency than the next: {' and '.join(sorted(marks))}")
    if marks and not is_money:
        raise BadCell(f"names a currency ({min(marks)}), but the column does not hold money")
    return marks.pop() if marks else None


def plain(value: Decimal) -> str:
    """A result as text for PostgreSQL, with at most twelve decimals."""
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -12:
        value = value.quantize(_DECIMALS)
    return format(value, "f")


def scaled(column: Any, factor: Decimal) -> Any:
    """Numbers multiplied by a factor, exactly."""
    coded = column.dictionary_encode()
    made = [None if text is None else plain(Decimal(text) * factor) for text in coded.dictionary.to_pylist()]
    return pa.array(made, TEXT).take(coded.indices)


# The last value of a column that is filled down, and of the column within which it is filled.
Above = tuple[str | None, str | None]


def carried(column: Any, above: Above | None, within: Any = None) -> tuple[Any, Above | None]:
    """Fill empty cells with the value above if the `within` columns are equal there; also returns the values for the
    next block.

    `above` are the values of the previous block.
    """
    if not len(column):
        return column, above
    value, beside = above or (None, None)
    if within is None:
        filled = pc.fill_null_forward(column)
        filled = pc.fill_null(filled, value) if value is not None else filled
        return filled, (filled[-1].as_py(), None)
    cells = [value, *column.to_pylist()]
    beside_each = [beside, *within.to_pylist()]
    for place in range(1, len(cells)):
        if cells[place] is None and beside_each[place] is not None and beside_each[place] == beside_each[place - 1]:
            cells[place] = cells[place - 1]
    return pa.array(cells[1:], TEXT), (cells[-1], beside_each[-1])


def looked_up(column: Any, answers: dict[str, str]) -> Any:
    """The manifest's value for each text, ignoring case; null without one."""
    texts = pa.array([text.lower() for text in answers], TEXT)
    places = pc.index_in(pc.utf8_lower(column), value_set=texts)
    return pa.array(list(answers.values()), TEXT).take(places)


def channel(columns: dict[str, Any], channels: dict[str, str], length: int) -> Any:
    """The channel of each row: as its file states it, else by the manifest's map."""
    found = [columns["channel"]] if "channel" in columns else []
    found += [looked_up(columns[name], channels) for name in CHANNEL_BY if name in columns]
    return pc.coalesce(*found) if found else pa.nulls(length, TEXT)


def row_keys(path: str, lines: Any) -> Any:
    """Keys made of file and line."""
    return pc.binary_join_element_wise(pa.repeat(pa.scalar(path), len(lines)), pc.cast(lines, TEXT), ":")


class ContentKeys:
    """Keys made of the content of rows: equal rows are numbered in the order of the file."""

    def __init__(self) -> None:
        self.times: dict[bytes, int] = {}

    def __call__(self, columns: list[Any], length: int) -> Any:
        """One key for each of `length` rows of these columns."""
        keys = []
        cells = zip(*(column.to_pylist() for column in columns), strict=True) if columns else [()] * length
        for row in cells:
            text = "\x1f".join("" if cell is None else f"={cell}" for cell in row)
            digest = hashlib.sha256(text.encode()).digest()[:16]
            number = self.times[digest] = self.times.get(digest, 0) + 1
            keys.append(f"{digest.hex()}-{number}")
        return pa.array(keys, TEXT)
