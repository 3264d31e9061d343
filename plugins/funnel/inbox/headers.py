"""Headers: the line of a file or sheet that names its columns, and the name of each column.

Every column has a unique name: the second of two equal ones becomes `Spend (column 8)`, an empty one `column 3`. Two
lines of headers, as merged cells leave them, become one: `Google / Spend`.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc

from funnel.inbox.blocks import Block
from funnel.inbox.errors import Refused

WITHIN = 30
MOST_COLUMNS = 16_384
# The column with the name of a row's sheet, if a manifest uses it.
SHEET = "\0sheet"
Reader = Callable[[IO[bytes], set[str] | None], Iterator[Block]]
# A function that checks whether a header has what the entity needs.
Fits = Callable[[tuple[str, ...]], bool]


@dataclass(frozen=True)
class Line:
    """One line of cells near the top of a file, with its first and last line number (a cell may contain
    line breaks).
    """

    first: int
    last: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Header:
    """The names of a file's columns. `lines` are the header's lines, `last` is the last of them."""

    names: tuple[str, ...]
    lines: tuple[int, ...]
    last: int

    @property
    def stated(self) -> int | list[int]:
        """The value that the manifest could state as `header`."""
        return self.lines[0] if len(self.lines) == 1 else list(self.lines)


NOTHING = Header((), (0,), 0)


def within(stated: int | list[int] | None) -> int:
    """The number of lines in which the header is searched."""
    return max([WITHIN, *(stated if isinstance(stated, list) else [stated or 0])])


def clean_headers(cells: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """Headers without surrounding spaces and invisible characters; empty ones are named after their position."""
    names = [re.sub(r"\s+", " ", re.sub("[\ufeff\u00a0\u200b]", " ", cell)).strip() for cell in cells]
    return tuple(name or f"column {place}" for place, name in enumerate(names, start=1))


def own(names: tuple[str, ...]) -> tuple[str, ...]:
    """Unique names: a repeated one gets its position."""
    seen: set[str] = set()
    own = []
    for place, name in enumerate(names, start=1):
        own.append(name if name not in seen else f"{name} (column {place})")
        seen.add(name)
    return tuple(own)


def merged(upper: tuple[str, ...], lower: tuple[str, ...]) -> tuple[str, ...]:
    """Two lines of headers as one. A merged cell leaves the cells to its right empty; they get its text."""
    width = max(len(upper), len(lower))
    above = [cell.strip() for cell in upper] + [""] * (width - len(upper))
    below = [cell.strip() for cell in lower] + [""] * (width - len(lower))
    names, group = [], ""
    for over, under in zip(above, below, strict=True):
        # A header without one below it was merged downwards and does not extend to the right.
        group = (over if under else "") if over else group
        names.append(" / ".join(part for part in (over or (group if under else ""), under) if part))
    return tuple(names)


def find(
    lines: list[Line], stated: int | list[int] | None, wanted: set[str], fits: Fits | None = None
) -> Header | None:
    """The header among the first lines: the stated one, else the one with all wanted names; None without one.

    If the manifest names no columns, it is the first line that `fits`, or simply the first.
    """
    candidates = list(_candidates(lines, stated))
    if fits and not wanted:
        candidates = [one for one in candidates if fits(one.names)] or candidates
    for one in candidates:
        if wanted <= set(one.names):
            return one
    return None if wanted or stated or not candidates else candidates[0]


def _candidates(lines: list[Line], stated: int | list[int] | None) -> Iterator[Header]:
    """Single lines, then pairs of consecutive lines."""
    filled = [line for line in lines if any(cell.strip() for cell in line.cells)]
    if isinstance(stated, list):
        chosen = [line for number in stated for line in filled if line.first == number]
        if len(chosen) == 2 == len(stated):
            yield _of_two(*chosen)
        elif len(stated) == 1:
            yield from map(_of_one, chosen)
        return
    singles = [line for line in filled if not stated or line.first == stated]
    yield from map(_of_one, singles)
    if not stated:
        for upper, lower in itertools.pairwise(filled):
            if upper.last + 1 == lower.first:
                yield _of_two(upper, lower)


def _of_one(line: Line) -> Header:
    return Header(own(clean_headers(line.cells)), (line.first,), line.last)


def _of_two(upper: Line, lower: Line) -> Header:
    return Header(own(clean_headers(merged(upper.cells, lower.cells))), (upper.first, lower.first), lower.last)


def closest(lines: list[Line], stated: int | list[int] | None, wanted: set[str]) -> Header:
    """The header most similar to the wanted one, for a message."""
    candidates = list(_candidates(lines, stated)) or [Header((), (1,), 1)]
    return max(candidates, key=lambda one: (len(wanted & set(one.names)), len(one.lines) == 1, len(one.names)))


def missing(header: Header, wanted: set[str]) -> str:
    """The message about wanted columns that a header lacks."""
    import difflib

    hints = []
    for name in sorted(wanted - set(header.names)):
        near = difflib.get_close_matches(name, header.names, 1, cutoff=0.6)
        hints.append(f"{name!r}" + (f" (perhaps {near[0]!r}?)" if near else ""))
    seen = ", ".join(header.names[:30]) or "nothing"
    return f"the header has no column {', '.join(hints)}; line {header.lines[0]} reads {seen}"


def check_width(names: tuple[str, ...] | list[str]) -> None:
    """Raises Refused for more columns than any spreadsheet allows."""
    if len(names) > MOST_COLUMNS:
        raise Refused(f"the file has {len(names):,} columns, more than the {MOST_COLUMNS:,} that a table may have")


# Columns of one name --------------------------------------------------------------------------------------------------


def twins(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    """All columns that the file calls by this name, including the first."""
    again = re.compile(re.escape(name) + r" \(column (\d+)\)")
    return (name, *(one for place, one in enumerate(names, 1) if (f := again.fullmatch(one)) and int(f[1]) == place))


def at(names: tuple[str, ...], position: int) -> str:
    """The name of the column at a position, counted from 1. Raises Refused."""
    if not 1 <= position <= len(names):
        raise Refused(f"the manifest names column {position}, but the file has {len(names)}: {', '.join(names[:30])}")
    return names[position - 1]


def agreeing(read: Reader, names: tuple[str, ...], mapped: dict[str, str]) -> tuple[Reader, list[str]]:
    """A reader that refuses a file whose columns of the same name differ, and a note for each repeated name.

    `mapped`: our names → the headers that the manifest uses by name.
    """
    alike = {ours: twins(names, theirs) for ours, theirs in mapped.items() if len(twins(names, theirs)) > 1}
    if not alike:
        return read, []
    places = {ours: [names.index(one) + 1 for one in same] for ours, same in alike.items()}

    def checked(file: IO[bytes], only: set[str] | None) -> Iterator[Block]:
        wanted = only if only is None else only | {one for same in alike.values() for one in same}
        for block in read(file, wanted):
            for ours, same in alike.items():
                _check_same(block, ours, same, places[ours])
            kept = {name: cells for name, cells in block.columns.items() if only is None or name in only}
            yield replace(block, columns=kept)

    notes = [
        f"columns {_listed(places[ours])} are both named {same[0]!r} and equal in every row; the first is read"
        for ours, same in alike.items()
    ]
    return checked, notes


def _check_same(block: Block, ours: str, same: tuple[str, ...], places: list[int]) -> None:
    first = _trimmed(block.columns[same[0]])
    for other in same[1:]:
        differs = pc.not_equal(first, _trimmed(block.columns[other]))
        if pc.any(differs).as_py():
            line = block.lines[pc.index(differs, True).as_py()].as_py()
            positions = " or ".join(f"{{position: {place}}}" for place in places)
            raise Refused(
                f"columns {_listed(places)} are both named {same[0]!r} and differ in line {line}; state which one is "
                f"meant, {ours}: {positions}, or rename one of them"
            )


def _trimmed(column: pa.Array) -> pa.Array:
    return pc.utf8_trim_whitespace(pc.fill_null(column, ""))


def _listed(places: list[int]) -> str:
    return f"{', '.join(map(str, places[:-1]))} and {places[-1]}"
