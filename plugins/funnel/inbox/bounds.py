"""Limits: how much of a file is unpacked, and how long its parts may be.

Small files can unpack to more than a machine's memory. A file over a limit can be sent in parts; usual tables are far
below.
"""

import gzip
import io
import os
import re
import zipfile
from collections.abc import Iterator
from typing import IO, Any

from funnel.inbox.errors import Refused

MILLION = 1 << 20
# A compressed file that grows by this factor is refused once it is larger than what every machine can read at once.
MOST_GROWTH, FREE_GROWTH = 250, 256 * MILLION
LONGEST_LINE = 16 * MILLION
LONGEST_CELL, LONGEST_ROW = 4 * MILLION, 16 * MILLION
MOST_SHEETS, MOST_MEMBERS = 1_000, 20_000
# Parts that are read whole before the first row: the texts of a workbook, its styles.
MOST_TEXTS, MOST_STYLES = 80 * MILLION, 8 * MILLION
DEEPEST = 32
# Limits of a Parquet file: rows, columns including nested ones, and bytes of a column in a row group.
MOST_ROWS, MOST_LEAVES, MOST_COLUMN = 100_000_000, 16_384, 128 * MILLION


class Unpacked(io.RawIOBase):
    """The content of a gzip file. Reading raises Refused if it grows beyond the limit."""

    def __init__(self, source: IO[bytes], size: int) -> None:
        super().__init__()
        self._file = gzip.GzipFile(fileobj=source)
        self._most = max(FREE_GROWTH, MOST_GROWTH * size)
        self._read = 0

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer. Raises Refused if the content exceeds the limit."""
        data = self._file.read(len(buffer))
        self._read += len(data)
        if self._read > self._most:
            raise Refused(
                f"the compressed file holds more than {self._most // MILLION:,} MB, over {MOST_GROWTH} times its size; "
                "send it in parts, or without compression"
            )
        buffer[: len(data)] = data
        return len(data)


def lines(file: IO[bytes]) -> Iterator[bytes]:
    """The lines of a file. Raises Refused for a line that is longer than any record."""
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise Refused(f"line {number} is longer than {LONGEST_LINE // MILLION} MB; a file has a line for each row")
        yield line


_ROW = re.compile(rb"<(?:\w+:)?row\b")


class Guarded(io.RawIOBase):
    """The XML of a sheet. Reading raises Refused for a cell or row that is too long, before all of it is in memory."""

    def __init__(self, file: IO[bytes], sheet: str) -> None:
        super().__init__()
        self._file, self._sheet = file, sheet
        self._since_tag = self._since_row = 0
        self._is_first = True

    def readable(self) -> bool:
        """Always true."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next part of the XML, at most 64 KB. Raises Refused."""
        data = self._file.read(64 << 10 if size < 0 else min(size, 64 << 10))
        if self._is_first:
            _refuse_doctype(data, self._sheet)
            self._is_first = False
        tag = data.rfind(b"<")
        self._since_tag = self._since_tag + len(data) if tag < 0 else len(data) - tag
        row = max((found.start() for found in _ROW.finditer(data)), default=-1)
        self._since_row = self._since_row + len(data) if row < 0 else len(data) - row
        if self._since_tag > LONGEST_CELL:
            raise Refused(f"sheet {self._sheet!r} has a cell of more than {LONGEST_CELL // MILLION} MB")
        if self._since_row > LONGEST_ROW:
            raise Refused(f"sheet {self._sheet!r} has a row of more than {LONGEST_ROW // MILLION} MB")
        return data


def _refuse_doctype(data: bytes, part: str) -> None:
    """Raises Refused for a DOCTYPE: no program writes one into a workbook, and its entities may expand
    without limit.
    """
    if b"<!DOCTYPE" in data.replace(b"\0", b""):
        raise Refused(f"{part!r} has a DOCTYPE, which no workbook needs; save it as .xlsx again")


def check_workbook(archive: zipfile.ZipFile, size: int) -> None:
    """Raises Refused for a workbook that grows too much when unpacked, by the sizes that it states for its parts."""
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise Refused(f"the workbook has {len(members):,} parts, more than {MOST_MEMBERS:,}")
    for member in members:
        name = member.filename.lower()
        is_texts = name.endswith("sharedstrings.xml")
        is_whole = not is_texts and "/worksheets/" not in name and name.endswith((".xml", ".rels"))
        for concerned, most, what in ((is_texts, MOST_TEXTS, "texts"), (is_whole, MOST_STYLES, "descriptions")):
            if concerned and member.file_size > most and not name.startswith(("xl/drawings", "xl/charts", "xl/media")):
                raise Refused(
                    f"the workbook's {what} ({member.filename}) take {member.file_size // MILLION:,} MB, more than "
                    f"{most // MILLION}; save the table as CSV"
                )
        if is_texts or is_whole:
            with archive.open(member) as file:
                _refuse_doctype(file.read(4096), member.filename)
    whole = sum(member.file_size for member in members if "/worksheets/" in member.filename.lower())
    if whole > max(FREE_GROWTH, MOST_GROWTH * size):
        raise Refused(
            f"the workbook's sheets take {whole // MILLION:,} MB, over {MOST_GROWTH} times the file's size; save the "
            "table as CSV"
        )


def check_parquet(metadata: Any, source: IO[bytes]) -> None:
    """Raises Refused for a Parquet file that grows too much when read, by the sizes that it states for its columns."""
    size = source.seek(0, os.SEEK_END)
    if metadata.num_rows > MOST_ROWS:
        raise Refused(f"the file says that it has {metadata.num_rows:,} rows, more than {MOST_ROWS:,}")
    if metadata.num_columns > MOST_LEAVES or metadata.num_row_groups > MOST_MEMBERS:
        raise Refused(f"the file has {metadata.num_columns:,} columns in {metadata.num_row_groups:,} groups")
    for group in range(metadata.num_row_groups):
        found = metadata.row_group(group)
        for place in range(found.num_columns):
            column = found.column(place)
            if column.total_uncompressed_size > MOST_COLUMN or column.total_compressed_size > size:
                raise Refused(
                    f"column {column.path_in_schema!r} says that it takes "
                    f"{column.total_uncompressed_size // MILLION:,} MB in group {group + 1}, more than "
                    f"{MOST_COLUMN // MILLION} MB or than the file holds"
                )
