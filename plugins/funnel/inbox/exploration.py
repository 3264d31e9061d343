"""Reads a folder of exports before any manifest exists: the tables of its files, with their headers and cells.

A table is a text file, or one sheet of a workbook. Its header is the line with most headers of the vocabulary: exports
begin with titles, dates and empty lines. Files are read as in every load.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

import pyarrow.compute as pc

from funnel.inbox import folder as inbox
from funnel.inbox import recognition, separated
from funnel.inbox.blocks import TYPED
from funnel.inbox.contents import Column
from funnel.inbox.errors import Refused
from funnel.inbox.folder import FileInfo, Folder
from funnel.inbox.headers import WITHIN, clean_headers
from funnel.inbox.manifest import FORMATS

ROWS = 20_000
# If a column has so few different cells, the whole file is examined.
FEW = 60
HEADER_BYTES = 32 << 10
WORKBOOKS = ("xlsx", "xlsm")
INTERCHANGES = ("x12", "edi", "852")
TYPED_FILES = ("parquet", "json", "jsonl", "ndjson")


@dataclass(frozen=True)
class Table:
    """One table of a file. `above` are the lines above its header, `sheet` is set if the workbook has several."""

    path: str
    kind: str
    sheet: str | None
    header: int
    above: str
    columns: tuple[Column, ...]
    rows: int
    sheets: tuple[str, ...] = ()

    @property
    def headers(self) -> tuple[str, ...]:
        """The headers, in order."""
        return tuple(column.header for column in self.columns)

    def column(self, header: str) -> Column:
        """The column with this header."""
        return next(column for column in self.columns if column.header == header)


@dataclass
class Found:
    """The tables of a folder, and the reason for each file without one."""

    tables: list[Table] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)


def explore(folder: Folder, infos: list[FileInfo]) -> Found:
    """The tables of these files."""
    found = Found()
    for info in infos:
        kind = info.path.lower().removesuffix(".gz").rpartition(".")[2]
        if kind not in FORMATS:
            found.unread[info.path] = f"files of this kind are not read; there are {', '.join(FORMATS)}"
            continue
        try:
            with inbox.fetched(folder, info) as source:
                tables = list(_tables(source, info.path, kind))
        except Refused as refused:
            found.unread[info.path] = refused.reason
            continue
        except Exception as error:
            # Readers of workbooks and similar formats fail in many ways on a damaged file.
            found.unread[info.path] = (
                f"the file is damaged or of another format than its name says ({type(error).__name__})"
            )
            continue
        found.tables += tables
        if not tables:
            found.unread[info.path] = "no line of it looks like a header with rows below"
    return found


def _tables(source: IO[bytes], path: str, kind: str) -> Iterator[Table]:
    if kind in WORKBOOKS:
        yield from _sheets(source, path, kind)
    elif kind in TYPED_FILES:
        yield from _typed(source, path, kind)
    elif kind in INTERCHANGES:
        # The format names its columns.
        yield Table(path, kind, None, 0, "", (), 0)
    else:
        yield from _text(source, path, kind)


def _text(source: IO[bytes], path: str, kind: str) -> Iterator[Table]:
    from funnel.inbox.layout import opened

    with opened(source, path) as file:
        sample = file.read(HEADER_BYTES)
    # A file that this refuses is not text; without any known header the reader's own choice of the header is used.
    dialect = separated.sniff(sample, None, None, None, None, set())
    found: dict[tuple[int, int, int], separated.Dialect] = {}
    for place, delimiter in enumerate(separated.DELIMITERS):
        for line in range(1, WITHIN + 1):
            for stated in (line, [line, line + 1]):
                try:
                    one = separated.sniff(sample, dialect.encoding, delimiter, None, stated, set())
                except Refused:
                    continue
                known = recognition.known_headers(one.headers)
                if known and len(one.headers) > 1 and not (isinstance(stated, list) and _holds_cells(one.headers)):
                    found[2 * known - isinstance(stated, list), -line, -place] = one
    dialect = found[max(found)] if found else dialect
    above = sample.decode(dialect.encoding, errors="replace").splitlines()[: dialect.header_line - 1]
    with opened(source, path) as file:
        blocks = separated.read(file, dialect, None)
        yield from _table(path, kind, None, dialect.header_line, "\n".join(above), dialect.headers, blocks)


def _holds_cells(headers: tuple[str, ...]) -> bool:
    """True if the lower of two header lines is a row of data: one of its parts is a number or a date."""
    return any(re.fullmatch(r"[^A-Za-z]*\d[^A-Za-z]*", header.rpartition(" / ")[2]) for header in headers)


def _sheets(source: IO[bytes], path: str, kind: str) -> Iterator[Table]:
    from funnel.inbox import spreadsheets, workbooks
    from funnel.inbox.layout import opened

    with opened(source, path) as file:
        book = workbooks.open_book(file)
        sheets = [sheet for sheet in book.sheets if sheet.is_visible]
        names = tuple(sheet.name for sheet in sheets)
        for sheet in sheets:
            name = sheet.name
            rows: list[list[str]] = []
            for number, row in itertools.takewhile(lambda one: one[0] <= ROWS, book.rows(sheet)):
                rows += [[] for _ in range(number - 1 - len(rows))]
                rows.append([str(spreadsheets.cell_text(cell) or "").replace(TYPED, "").strip() for cell in row])
            best = max(
                range(min(len(rows), WITHIN)),
                key=lambda line: (recognition.known_headers(tuple(rows[line])), -line),
                default=None,
            )
            if best is None:
                continue
            filled = [place for place, cell in enumerate(rows[best], start=1) if cell]
            headers = clean_headers(rows[best][: max(filled, default=0)])
            below = [row for row in rows[best + 1 :] if any(row)]
            if len(headers) < 2 or not below:
                continue
            above = "\n".join(" ".join(filter(None, row)) for row in rows[:best])
            columns = tuple(
                Column(header, tuple(row[place] if place < len(row) else "" for row in below))
                for place, header in enumerate(headers)
                if headers.index(header) == place
            )
            yield Table(path, kind, name, best + 1, above, columns, len(below), names)


def _typed(source: IO[bytes], path: str, kind: str) -> Iterator[Table]:
    from funnel.inbox import manifest, spreadsheets
    from funnel.inbox.layout import opened

    text = f"{{source: look, currency: USD, streams: [{{entity: leads, path: x, format: {kind}}}]}}"
    spec = manifest.parse(text.encode(), "look").streams[0]
    read = spreadsheets.parquet if kind == "parquet" else spreadsheets.json_records
    layout = read(source, path, spec)
    with opened(source, path) as file:
        yield from _table(path, kind, None, 0, "", layout.headers, layout.read(file, None))


def _table(
    path: str, kind: str, sheet: str | None, header: int, above: str, headers: tuple[str, ...], blocks: Iterator[Any]
) -> Iterator[Table]:
    cells: dict[str, list[str]] = {name: [] for name in headers}
    rows = 0
    few: dict[str, dict[str, None]] | None = None
    for block in blocks:
        rows += len(block.lines)
        if few is None:
            for name, column in block.columns.items():
                cells[name] += [_plain(cell) for cell in column.to_pylist()]
            if rows >= ROWS:
                few = {name: {} for name, found in cells.items() if len(set(found)) <= FEW}
            continue
        # A stage may occur first far below.
        for name, seen in few.items():
            if len(seen) <= FEW:
                seen |= dict.fromkeys(map(_plain, pc.unique(block.columns[name]).to_pylist()))
    if rows:
        columns = tuple(
            Column(name, tuple(cells[name]), tuple((few or {}).get(name, ()))) for name in dict.fromkeys(headers)
        )
        yield Table(path, kind, sheet, header, above, columns, rows)


def _plain(cell: str | None) -> str:
    return (cell or "").replace(TYPED, "").strip()
