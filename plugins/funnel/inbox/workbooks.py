"""Workbooks: the sheets of an XLSX file that hold the requested table, as one table.

All visible sheets with the same header are read unless the manifest names some. A sheet that repeats or sums the others
is left out, with a note. A formula without a stored value is an error of its cell.
"""

import itertools
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import IO, Any

import pyarrow as pa

from funnel.inbox import bounds, headers, repeated_sheets
from funnel.inbox.blocks import NO_VALUE, TYPED, Block
from funnel.inbox.errors import Refused
from funnel.inbox.headers import SHEET, Fits, Header
from funnel.inbox.layout import LINES_OF_A_SHEET, Layout, opened, seekable
from funnel.inbox.manifest import StreamSpec
from funnel.inbox.number_formats import Money, currency_of
from funnel.inbox.spreadsheets import cell_text

CELLS_OF_A_BLOCK = 200_000


@dataclass(frozen=True)
class Sheet:
    """One sheet of a workbook with its header."""

    name: str
    path: str
    is_visible: bool
    header: Header = headers.NOTHING


@dataclass(frozen=True)
class Book:
    """A workbook: its sheets, and what is needed to read their cells."""

    archive: zipfile.ZipFile
    texts: Any
    workbook: Any
    sheets: tuple[Sheet, ...]

    def rows(self, sheet: Sheet) -> Iterator[tuple[int, list[Any]]]:
        """The non-empty rows of a sheet, each with its number. Raises Refused for damaged XML."""
        from xml.etree.ElementTree import ParseError, iterparse

        from openpyxl.worksheet._reader import DATA_TAG, ROW_TAG

        parser = _cells_parser()(
            None,
            self.texts,
            data_only=True,
            epoch=self.workbook.epoch,
            date_formats=self.workbook._date_formats,
            timedelta_formats=self.workbook._timedelta_formats,
        )
        money = self._money_styles
        data: Any = None
        with self.archive.open(sheet.path) as file:
            events = iterparse(bounds.Guarded(file, sheet.name), events=("start", "end"))  # noqa: S314 - no DOCTYPE
            try:
                for event, element in events:
                    if event == "start" and element.tag == DATA_TAG:
                        data = element
                    elif event == "end" and element.tag == ROW_TAG:
                        number, cells = parser.parse_row(element)
                        parser.row_dimensions.clear()
                        if data is not None:
                            data.clear()
                        if any(cell["value"] is not None for cell in cells):
                            yield number, _spread(cells, money)
            except (ParseError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
                raise Refused(
                    f"the sheet {sheet.name!r} is damaged ({str(error)[:100]}); save the workbook again"
                ) from None

    @cached_property
    def _money_styles(self) -> dict[int, str]:
        """The styles that show a currency, each with its currency."""
        from openpyxl.styles.numbers import BUILTIN_FORMATS_MAX_SIZE

        own = [currency_of(each) for each in self.workbook._number_formats]
        places = (
            (style, each.numFmtId - BUILTIN_FORMATS_MAX_SIZE) for style, each in enumerate(self.workbook._cell_styles)
        )
        return {style: mark for style, place in places if 0 <= place < len(own) and (mark := own[place])}


def _cells_parser() -> Any:
    from openpyxl.worksheet._reader import FORMULA_TAG, WorkSheetParser

    class Cells(WorkSheetParser):  # type: ignore[misc]
        """openpyxl's reader of cells, except that a formula without a computed value is not an empty cell."""

        def parse_cell(self, element: Any) -> Any:
            cell = super().parse_cell(element)
            if cell["value"] is None and cell["data_type"] != "str" and element.find(FORMULA_TAG) is not None:
                cell["value"] = NO_VALUE
            return cell

    return Cells


def _spread(cells: list[dict[str, Any]], money: dict[int, str]) -> list[Any]:
    """The values of a row by column; numbers that are shown with a currency as Money."""
    width = max(cell["column"] for cell in cells)
    if width > headers.MOST_COLUMNS:
        raise Refused(f"a row has a cell in column {width:,}; a sheet has at most {headers.MOST_COLUMNS:,}")
    row: list[Any] = [None] * width
    for cell in cells:
        value, mark = cell["value"], money.get(cell["style_id"]) if money else None
        row[cell["column"] - 1] = Money(value, mark) if mark and type(value) in (int, float) else value
    return row


def open_book(file: IO[bytes]) -> Book:
    """The workbook in a file. Raises Refused."""
    from xml.etree.ElementTree import ParseError

    from openpyxl.reader.excel import ExcelReader
    from openpyxl.styles.stylesheet import apply_stylesheet
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        file = seekable(file)
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        reader = ExcelReader(file, read_only=True, data_only=True)
        bounds.check_workbook(reader.archive, size)
        reader.read_manifest()
        reader.read_strings()
        reader.read_workbook()
        apply_stylesheet(reader.archive, reader.wb)
        sheets = tuple(
            Sheet(sheet.name, relation.target, sheet.state == "visible")
            for sheet, relation in reader.parser.find_sheets()
            if relation.Type.endswith("/worksheet") and relation.target in reader.valid_files
        )
    except (
        InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError, ParseError, OSError,
        IndexError, NotImplementedError,
    ) as error:  # fmt: skip
        raise Refused(f"this is not a workbook that can be read ({str(error)[:100]}); save it as .xlsx again") from None
    if len(sheets) > bounds.MOST_SHEETS:
        raise Refused(f"the workbook has {len(sheets):,} sheets, more than {bounds.MOST_SHEETS:,}")
    return Book(reader.archive, reader.shared_strings, reader.wb, sheets)


# Which sheets -------------------------------------------------------------------------------------------------------


def layout(source: IO[bytes], path: str, spec: StreamSpec, wanted: set[str], fits: Fits, names: Any) -> Layout:
    """The sheets with the wanted headers, as one table. Raises Refused if no sheet has them.

    `fits` checks whether headers have what the entity needs; `names` are the sheets that the manifest states, if any.
    """
    with opened(source, path) as file:
        book = open_book(file)
        chosen, notes = _chosen(book, spec, wanted - {SHEET}, fits, names)
        if len(chosen) > 1 and not names:
            left = repeated_sheets.left_out(
                {sheet.name: _facts(book, sheet, chosen[0], spec, wanted) for sheet in chosen}, SHEET in wanted
            )
            notes += [f"sheet {name!r} is not read: {reason}" for name, reason in left.items()]
            chosen = [sheet for sheet in chosen if sheet.name not in left]
    first = chosen[0]
    headers.check_width(first.header.names)
    settings: dict[str, Any] = {"format": "xlsx", "sheet": first.name, "header": first.header.stated}
    if len(chosen) > 1:
        settings = {"format": "xlsx", "sheets": [sheet.name for sheet in chosen], "header": first.header.stated}
        notes.insert(0, f"read {len(chosen)} sheets: {', '.join(sheet.name for sheet in chosen)}")
    return Layout(
        first.header.names,
        _reader(chosen, first.header.names),
        settings,
        has_types=True,
        sheets=tuple(sheet.name for sheet in chosen) if len(chosen) > 1 else (),
        is_named=bool(names),
        notes=tuple(notes),
    )


def _chosen(book: Book, spec: StreamSpec, wanted: set[str], fits: Fits, names: Any) -> tuple[list[Sheet], list[str]]:
    chosen: list[Sheet] = []
    notes: list[str] = []
    tried: list[str] = []
    for sheet in _named(book, names) if names else book.sheets:
        if not names and not sheet.is_visible:
            notes.append(f"sheet {sheet.name!r} is not read: it is hidden")
            continue
        found, seen = _with_header(book, sheet, spec, wanted, fits)
        if found and _belongs(found.header, chosen, wanted, fits, bool(names)):
            chosen.append(found)
            continue
        notes.append(f"sheet {sheet.name!r} is not read: {'its header is another' if seen else 'it is empty'}")
        tried.append(f"{sheet.name}: {', '.join(seen[:15])}")
        if names:
            raise Refused(f"the sheet {sheet.name!r} does not have the expected header; found {tried[-1]}")
    if not chosen:
        # No sheet fits: the refusal describes the first sheet's header.
        missing = ", ".join(sorted(map(repr, wanted))) or f"the columns of {spec.entity.name}"
        raise Refused(f"no sheet has a header with {missing}; found {'; '.join(tried[:3]) or 'nothing'}")
    return chosen, notes


def _named(book: Book, names: Any) -> list[Sheet]:
    """The sheets that the manifest names, by name or number."""
    found = []
    there = [sheet.name for sheet in book.sheets]
    for name in names:
        if isinstance(name, int) and not 1 <= name <= len(there):
            raise Refused(f"there is no sheet {name}; the workbook has {len(there)}: {', '.join(there)}")
        if not isinstance(name, int) and name not in there:
            raise Refused(f"there is no sheet {name!r}; there are {', '.join(there)}")
        found.append(book.sheets[name - 1 if isinstance(name, int) else there.index(name)])
    return found


def _with_header(
    book: Book, sheet: Sheet, spec: StreamSpec, wanted: set[str], fits: Fits
) -> tuple[Sheet | None, tuple[str, ...]]:
    """The sheet with its header, and the cells of its first line for a message."""
    lines = []
    for number, row in itertools.takewhile(lambda one: one[0] <= headers.within(spec.header), book.rows(sheet)):
        cells = tuple((cell_text(cell) or "").replace(TYPED, "") for cell in row)
        lines.append(headers.Line(number, number, cells))
    header = headers.find(lines, spec.header, wanted, None if spec.headers else fits)
    found = Sheet(sheet.name, sheet.path, sheet.is_visible, header) if header else None
    return found, next((line.cells for line in lines), ())


def _belongs(header: Header, chosen: list[Sheet], wanted: set[str], fits: Fits, is_named: bool) -> bool:
    if not fits(header.names):
        return False
    first = chosen[0].header if chosen else None
    return first is None or is_named or (wanted <= set(header.names) and bool(wanted)) or header.names == first.names


def _facts(book: Book, sheet: Sheet, first: Sheet, spec: StreamSpec, wanted: set[str]) -> repeated_sheets.Facts:
    """A summary of a sheet's rows, used to find sheets that repeat or sum others."""
    kinds = {theirs: spec.entity.field(ours).kind for ours, theirs in (spec.columns or {}).items()}
    used = sorted(wanted - {SHEET}) or [name for name in first.header.names if name in sheet.header.names]
    if not spec.columns:
        kinds = {
            name: spec.entity.field(ours).kind
            for name in used
            if (ours := name.lower().replace(" ", "_")) in spec.entity.names
        }
    places = [sheet.header.names.index(name) for name in used]
    measures = {place for place, name in enumerate(used) if kinds.get(name) in ("number", "integer")}
    facts = repeated_sheets.Facts(measures)
    for number, row in book.rows(sheet):
        if number > sheet.header.last:
            facts.add([_amount(row[place]) if place < len(row) else None for place in places])
    return facts


def _amount(cell: Any) -> Any:
    return cell.amount if isinstance(cell, Money) else cell


# Rows ---------------------------------------------------------------------------------------------------------------


def _reader(sheets: list[Sheet], names: tuple[str, ...]) -> headers.Reader:
    def read(file: IO[bytes], only: set[str] | None) -> Iterator[Block]:
        book = open_book(file)
        for place, sheet in enumerate(sheets):
            yield from _blocks(book, sheet, names, only, place * LINES_OF_A_SHEET)

    return read


def _blocks(book: Book, sheet: Sheet, names: tuple[str, ...], only: set[str] | None, before: int) -> Iterator[Block]:
    own = {name: place for place, name in enumerate(sheet.header.names)}
    places = {name: own.get(name) for name in names if only is None or name in only}
    cells: dict[str, list[str | None]] = {name: [] for name in places}
    lines: list[int] = []

    def block() -> Block:
        columns = {name: pa.array(column, pa.string()) for name, column in cells.items()}
        if only is not None and SHEET in only:
            columns[SHEET] = pa.array([sheet.name] * len(lines), pa.string())
        return Block(columns, pa.array(lines, pa.int64()))

    for number, row in book.rows(sheet):
        if number <= sheet.header.last:
            continue
        for name, place in places.items():
            cells[name].append(cell_text(row[place]) if place is not None and place < len(row) else None)
        lines.append(before + number)
        if len(lines) * max(len(places), 1) >= CELLS_OF_A_BLOCK:
            yield block()
            cells, lines = {name: [] for name in places}, []
    if lines:
        yield block()
