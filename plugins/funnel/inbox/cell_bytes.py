"""Cells as bytes: tests on whole columns without a loop over cells."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ends:
    """Whether cells may begin or end with a space, and whether some are empty."""

    may_have_space: bool
    has_empty: bool


def laid_out(column: Any) -> tuple[Any, Any]:
    """(bytes of all cells, offsets: where each cell begins, and where the last one ends). A null has no bytes."""
    import numpy as np

    _, offsets, data = column.buffers()
    places = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return np.frombuffer(data or b"", np.uint8), places


def ends_of(column: Any) -> Ends:
    """Check the first and last byte of each cell: any byte that may belong to one of Unicode's spaces counts as one."""
    if not len(column):
        return Ends(False, False)
    data, places = laid_out(column)
    filled = places[1:] > places[:-1]
    ends = data[places[:-1][filled]], data[places[1:][filled] - 1]
    return Ends(any(bool(((each <= 32) | (each >= 127)).any()) for each in ends), not filled.all())


def is_all_digits(column: Any) -> bool:
    """True if every cell is a null or a whole number of at most 18 digits."""
    if not len(column):
        return True
    data, places = laid_out(column)
    lengths = places[1:] - places[:-1]
    if lengths.max() > 18 or int((lengths == 0).sum()) != column.null_count:
        return False
    digits = data[places[0] : places[-1]]
    return not len(digits) or (int(digits.min()) >= 48 and int(digits.max()) <= 57)


def beginning_with(column: Any, letters: bytes) -> Any:
    """The positions of the cells that begin with one of the letters."""
    import numpy as np

    if not len(column):
        return np.array([], np.int64)
    data, places = laid_out(column)
    filled = np.flatnonzero(places[1:] > places[:-1])
    return filled[np.isin(data[places[:-1][filled]], np.frombuffer(letters, np.uint8))]


def may_have_words(column: Any) -> bool:
    """True if a cell holds more than digits, points, commas and signs, such as a currency or a unit."""
    if not len(column):
        return False
    data, places = laid_out(column)
    held = data[places[0] : places[-1]]
    return bool(((held > 57) | (held == 36)).any())
