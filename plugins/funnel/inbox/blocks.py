"""Results of readers and of conversion: blocks of cells with their lines, unreadable rows, refusals."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

Item = TypeVar("Item")
# Marks a cell that was a number in its file, not a text that looks like one.
TYPED = "\u2063"
# Stands for the value of a formula that no program has computed.
NO_VALUE = "#FORMULA!"


@dataclass(frozen=True)
class BadRow:
    """A row that violates its contract: its line, the column by our name, the reason, its content, and its `row_key` if
    the key is readable.
    """

    line: int
    column: str | None
    reason: str
    payload: Any
    key: str | None = None


@dataclass(frozen=True)
class Block:
    """Some rows of a file: cells by header as Arrow text, the line of each row, and the lines that are not rows.

    `is_clean` is true if no cell holds a spreadsheet error or a character that could not be decoded.
    """

    columns: dict[str, Any]
    lines: Any
    bad: list[BadRow] = field(default_factory=list)
    is_clean: bool = False


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items; each is made while the previous one is used (Arrow and zstd release Python's lock)."""
    nothing: Any = object()
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, items, nothing)
        while (item := following.result()) is not nothing:
            following = pool.submit(next, items, nothing)
            yield item
