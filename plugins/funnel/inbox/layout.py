"""Layouts: the common form of every kind of file before its cells are read, and access to its bytes."""

import gzip
import io
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import IO, Any

from funnel.inbox.blocks import BadRow
from funnel.inbox.bounds import Unpacked
from funnel.inbox.errors import Refused
from funnel.inbox.headers import Reader

# Line numbers of a workbook's second sheet begin here, those of the third at twice that.
LINES_OF_A_SHEET = 10_000_000
SPOOLED_BYTES = 8 << 20


@dataclass(frozen=True)
class Layout:
    """How one file is read: its headers, a reader for them, and its detected format.

    `sheets` are the sheets that are read, if there are several; `is_named` is true if the manifest chose them. `notes`
    report what was inferred, merged or skipped.
    """

    headers: tuple[str, ...]
    read: Reader
    settings: dict[str, Any]
    has_types: bool = False
    sheets: tuple[str, ...] = ()
    is_named: bool = False
    notes: tuple[str, ...] = ()

    def place(self, line: int) -> str:
        """The position of a line, in words."""
        sheet, number = divmod(line, LINES_OF_A_SHEET)
        return f"sheet {self.sheets[sheet]}, line {number}" if self.sheets else f"line {line}"

    def placed(self, row: BadRow) -> BadRow:
        """A bad row with the line number of its own sheet."""
        if not self.sheets:
            return row
        sheet, number = divmod(row.line, LINES_OF_A_SHEET)
        return replace(row, line=number, reason=f"{row.reason} (sheet {self.sheets[sheet]})")


@contextmanager
def opened(source: IO[bytes], path: str) -> Iterator[IO[bytes]]:
    """The file's content, decompressed if it is gzip, whatever its name says. Raises Refused for a
    damaged gzip file.
    """
    source.seek(0)
    is_gzip = source.read(2) == b"\x1f\x8b"
    size = source.seek(0, os.SEEK_END)
    source.seek(0)
    file: IO[bytes] = io.BufferedReader(Unpacked(source, size), 1 << 20) if is_gzip else source  # type: ignore[assignment]
    try:
        yield file
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise Refused("the compressed file is cut short or damaged; send it again") from None


def seekable(file: IO[bytes]) -> IO[bytes]:
    """The same content with random access."""
    import shutil

    if file.seekable():
        return file
    copy = tempfile.SpooledTemporaryFile(SPOOLED_BYTES)  # noqa: SIM115 - lives as long as its reader
    shutil.copyfileobj(file, copy, 1 << 20)
    return copy  # type: ignore[return-value]
