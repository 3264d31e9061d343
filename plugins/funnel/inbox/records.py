"""Records of separated values: from the bytes of a CSV or TSV file to blocks of text columns with the line of each row.

Blocks without a line break inside quotes (nearly all) are parsed at once by Arrow; any other block is parsed record by
record. Both ways give the same rows. An unclosed quote costs only its own line, not the rest of the file. Cells are not
interpreted here.
"""

import codecs
import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv as arrow_csv

from funnel.inbox.blocks import BadRow, Block
from funnel.inbox.errors import Refused

BLOCK_BYTES = 2 << 20
# Limits in characters: a cell with line breaks and its whole record, a line without an end.
LONGEST_RECORD = 2 << 20
LONGEST_LINE = 16 << 20
csv.field_size_limit(LONGEST_LINE)


@dataclass(frozen=True)
class Dialect:
    """The format of a file: stated by the manifest or found in its first lines.

    `header` is the value that the manifest could state, `header_line` the last line of the header.
    """

    encoding: str
    delimiter: str
    quote: str
    header: int | list[int]
    header_line: int
    headers: tuple[str, ...]
    mark_bytes: int

    def as_settings(self) -> dict[str, str | int | list[int]]:
        """The settings that the manifest could state, for messages."""
        return {
            "encoding": self.encoding,
            "delimiter": "\\t" if self.delimiter == "\t" else self.delimiter,
            "quote": self.quote,
            "header": self.header,
        }

    @cached_property
    def scanner(self) -> "Scanner":
        """The scanner for this delimiter and quote."""
        return Scanner(self.delimiter, self.quote)


def read(file: IO[bytes], dialect: Dialect, only: set[str] | None = None) -> Iterator[Block]:
    """Blocks of text columns by header, with all rows below the header. `only` limits the columns that are kept."""
    kept = {name: place for place, name in enumerate(dialect.headers) if only is None or name in only}
    number, rest = 1, ""
    for text, is_last in _texts(file, dialect):
        lines = rest + text
        rest = ""
        if number <= dialect.header_line:
            skipped = lines.split("\n", dialect.header_line - number + 1)
            if len(skipped) <= dialect.header_line - number + 1:
                if is_last:
                    return
                rest = lines
                continue
            lines = skipped[-1]
            number = dialect.header_line + 1
        count = lines.count("\n") + (1 if is_last and lines and not lines.endswith("\n") else 0)
        if not count:
            rest = lines
            continue
        block = _parse_at_once(lines, number, count, kept, dialect)
        if block is None:
            block, rest = _parse_by_record(lines, number, kept, dialect, is_last)
            count -= rest.count("\n")
        number += count
        if len(block.lines) or block.bad:
            yield block


def _texts(file: IO[bytes], dialect: Dialect) -> Iterator[tuple[str, bool]]:
    """The file in pieces of whole lines with \\n as line end: (piece, whether it is the last).

    Raises Refused for a line that is longer than a line of any table.
    """
    file.read(dialect.mark_bytes)
    decoder = codecs.getincrementaldecoder(dialect.encoding)(errors="replace")
    held, has_return, number = "", False, 1
    while True:
        data = file.read(BLOCK_BYTES)
        text = decoder.decode(data, final=not data)
        if has_return:
            text, has_return = "\r" + text, False
        if data and text.endswith("\r"):
            # Its line feed may be in the next piece.
            text, has_return = text[:-1], True
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if not data:
            yield held + text, True
            return
        cut = text.rfind("\n") + 1
        if cut:
            piece, held = held + text[:cut], text[cut:]
            number += piece.count("\n")
            yield piece, False
            continue
        held += text
        if len(held) > LONGEST_LINE:
            raise Refused(
                f"line {number} is longer than {LONGEST_LINE >> 20} million characters; a table has a line for each row"
            )


# At once ------------------------------------------------------------------------------------------------------------


def _parse_at_once(text: str, number: int, count: int, kept: dict[str, int], dialect: Dialect) -> Block | None:
    """The block, parsed by Arrow; None if its rows are not its lines.

    A line of empty cells is appended to the text. If a quote is open at the end, that line is not a separate row, and
    there are fewer rows than lines, as for any line break in quotes.
    """
    if "\0" in text or not (dialect.delimiter + dialect.quote).isascii() or dialect.scanner.has_space_before(text):
        return None
    width = len(dialect.headers)
    invalid: list[tuple[int, int]] = []

    def note(row: arrow_csv.InvalidRow) -> str:
        invalid.append((row.number, row.actual_columns))
        return "skip"

    included = [f"c{place}" for place in kept.values()]
    end = "" if text.endswith("\n") else "\n"
    data = f"{text}{end}{dialect.delimiter * (width - 1)}\n".encode()
    try:
        table = _read_csv(data, dialect, included, note)
    except pa.ArrowInvalid:
        return None
    if table.num_rows + len(invalid) != count + 1:
        return None
    table = table.slice(0, table.num_rows - 1)
    if any(actual > width for _, actual in invalid):
        # Trailing separators are not columns: reading record by record detects them.
        return None
    columns = {
        name: table.column(f"c{place}").combine_chunks() if table.num_rows else pa.array([], pa.string())
        for name, place in kept.items()
    }
    every = text.split("\n") if invalid else []
    bad = [BadRow(number + place - 1, None, _wrong_width(actual, width), every[place - 1]) for place, actual in invalid]
    lines = _lines_of(number, count, {place for place, _ in invalid})
    return Block(columns, lines, bad, is_clean="#" not in text and "\ufffd" not in text)


def _read_csv(data: bytes, dialect: Dialect, included: list[str], note: Callable[[arrow_csv.InvalidRow], str]) -> Any:
    """All rows of `data` as texts; rows with another number of cells go to `note`."""
    return arrow_csv.read_csv(
        pa.BufferReader(data),
        read_options=arrow_csv.ReadOptions(
            column_names=[f"c{place}" for place in range(len(dialect.headers))],
            use_threads=False,
            block_size=len(data) + 1,
        ),
        parse_options=arrow_csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote,
            double_quote=True,
            newlines_in_values=False,
            ignore_empty_lines=False,
            invalid_row_handler=note,
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types={name: pa.string() for name in included},
            strings_can_be_null=False,
            include_columns=included,
            check_utf8=False,
        ),
    )


def _lines_of(number: int, count: int, without: set[int]) -> pa.Array:
    import numpy as np

    every = np.arange(number, number + count, dtype="int64")
    return pa.array(np.delete(every, [place - 1 for place in without]) if without else every)


def _wrong_width(actual: int, expected: int) -> str:
    return f"the line has {actual} {'cell' if actual == 1 else 'cells'}, the header {expected}"


# Record by record ---------------------------------------------------------------------------------------------------


def _parse_by_record(
    text: str, number: int, kept: dict[str, int], dialect: Dialect, is_last: bool
) -> tuple[Block, str]:
    """The block, parsed record by record, and the lines at its end that the next block must complete."""
    cells: dict[str, list[str]] = {name: [] for name in kept}
    numbers: list[int] = []
    bad: list[BadRow] = []
    width, rest = len(dialect.headers), ""
    for record in records(text, dialect.scanner):
        line = number + record.line
        row = record.cells
        if row is None:
            if record.is_open and not is_last and len(text) - record.start < LONGEST_RECORD:
                rest = text[record.start :]
                break
            bad.append(BadRow(line, None, "a quote is opened and never closed", text[record.start : record.end]))
            continue
        while len(row) > width and not row[-1].strip():
            row.pop()
        if any("\0" in cell for cell in row):
            told = text[record.start : record.end].replace("\0", "")
            bad.append(BadRow(line, None, "holds a NUL character", told))
        elif len(row) == width:
            numbers.append(line)
            for name, position in kept.items():
                cells[name].append(row[position])
        elif any(cell.strip() for cell in row):
            bad.append(BadRow(line, None, _wrong_width(len(row), width), text[record.start : record.end]))
    columns = {name: pa.array(column, pa.string()) for name, column in cells.items()}
    return Block(columns, pa.array(numbers, pa.int64()), bad), rest


@dataclass(frozen=True)
class Record:
    """A record of a text: its first line (from 0), its begin and end, its cells.

    `cells` is None if a quote is not closed; `is_open` is true if later text may close it.
    """

    line: int
    start: int
    end: int
    cells: list[str] | None
    is_open: bool = False


def records(text: str, scanner: "Scanner") -> Iterator[Record]:
    """The records of a text of lines. Those that Python's csv reader does not read cleanly are scanned."""
    lines = [f"{line}\n" for line in text.split("\n")]
    if lines[-1] == "\n":
        lines.pop()
    place = start = 0
    while place < len(lines):
        reader = csv.reader(
            (lines[each] for each in range(place, len(lines))),
            delimiter=scanner.delimiter,
            quotechar=scanner.quote,
            skipinitialspace=scanner.delimiter != " ",
            strict=True,
        )
        done = 0
        try:
            for cells in reader:
                end = start + sum(map(len, lines[place + done : place + reader.line_num]))
                yield Record(place + done, start, end - 1, cells)
                done, start = reader.line_num, end
        except csv.Error:
            place += done
            found = scanner.scan(text, place, start)
            yield found
            taken = text.count("\n", start, found.end) + 1
            start += sum(map(len, lines[place : place + taken]))
            place += taken
        else:
            return


class Scanner:
    """Reads cells of programs that do not double their quotes, or write spaces before them."""

    def __init__(self, delimiter: str, quote: str) -> None:
        self.delimiter, self.quote = delimiter, quote
        sign, mark = re.escape(delimiter), re.escape(quote)
        space = " *+" if delimiter != " " else ""
        inside = rf"(?:[^{mark}]++|{mark}{mark})*+"
        self._quoted = re.compile(rf"{space}{mark}({inside}){mark}{space}(?=[{sign}\n]|\Z)")
        # `"Acme" Inc`: the quotes end before the cell, on the same line.
        self._half = re.compile(rf"{space}{mark}((?:[^{mark}\n]++|{mark}{mark})*+){mark}([^{sign}\n]*+)")
        self._plain = re.compile(rf"(?!{space}{mark})[^{sign}\n]*+")
        self._open = re.compile(rf"{space}{mark}{inside}\Z")
        self._space_before = re.compile(rf"(?:^|{sign}) +{mark}", re.MULTILINE)

    def has_space_before(self, text: str) -> bool:
        """True if a cell begins with spaces and a quote: Arrow would read the quote as part of the text."""
        return f" {self.quote}" in text and self.delimiter != " " and self._space_before.search(text) is not None

    def scan(self, text: str, line: int, start: int) -> Record:
        """The record that begins at a position. A quoted cell may hold line breaks if its last quote ends the cell."""
        cells: list[str] = []
        place = start
        while True:
            quoted = self._quoted.match(text, place)
            half = None if quoted else self._half.match(text, place)
            found = quoted or half or self._plain.match(text, place)
            if found is None:
                end = text.find("\n", start)
                is_open = self._open.match(text, place) is not None
                return Record(line, start, end if end >= 0 else len(text), None, is_open)
            cell = found[1].replace(self.quote * 2, self.quote) if quoted or half else found[0]
            cells.append(cell + (half[2] if half else ""))
            place = found.end()
            if text[place : place + 1] != self.delimiter:
                return Record(line, start, place, cells)
            place += 1
